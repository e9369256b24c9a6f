internal import HTTPTypes
internal import Hummingbird
internal import NIOCore
internal import Resources

/// `/openapi.json`: what a web page's developer reads.
enum APIDescription {
    static func add(to router: Router<ServerContext>) {
        let bytes = ResourceFile.openAPI.bytes
        router.get("openapi.json") { _, _ in
            Response(
                status: .ok, headers: [.contentType: "application/json; charset=utf-8"],
                body: ResponseBody(byteBuffer: ByteBuffer(bytes: bytes)))
        }
    }
}
