internal import Foundation
internal import NIOSSL
internal import OperatorSettings
internal import WebServer

extension HongbaoConfiguration {
    /// What of it the HTTP server needs.
    ///
    /// - Throws: An ``OperatorMessage`` when the certificate or its key cannot be read, or do not belong together.
    func webServer() throws -> WebServerConfiguration {
        var server = WebServerConfiguration()
        server.host = host
        server.port = port
        server.operationPort = operationPort
        server.corsOrigins = Set(corsOrigins)
        server.trustedProxies = Set(trustedProxies)
        server.playerTokenSecret = playerTokenSecret
        server.endpoints = endpoints
        if let tlsCertificateFile, let tlsKeyFile {
            server.tls = try Self.tls(certificateFile: tlsCertificateFile, keyFile: tlsKeyFile)
        }
        return server
    }

    private static func tls(certificateFile: String, keyFile: String) throws -> TLSConfiguration {
        let chain = try pem(certificateFile, key: "tls_certificate_file", "证书", "certificates") { bytes in
            try NIOSSLCertificate.fromPEMBytes(bytes).map { NIOSSLCertificateSource.certificate($0) }
        }
        let privateKey = try pem(keyFile, key: "tls_key_file", "没有口令的私钥", "a private key without a passphrase") {
            try NIOSSLPrivateKey(bytes: $0, format: .pem)
        }
        let configuration = TLSConfiguration.makeServerConfiguration(
            certificateChain: chain, privateKey: .privateKey(privateKey))
        do {
            _ = try NIOSSLContext(configuration: configuration)
        } catch {
            throw OperatorMessage(
                "tls_key_file：\(keyFile) 不是证书 \(certificateFile) 的私钥。请换成和证书一起签发的那一个；证书文件里自己的证书要放在最前面。",
                "tls_key_file: \(keyFile) is not the key of the certificate in \(certificateFile). Name the one it was issued "
                    + "for; its own certificate must come first in the file.")
        }
        return configuration
    }

    /// Reads what must stand in a PEM file.
    private static func pem<Content>(
        _ file: String, key: String, _ chinese: String, _ english: String, _ read: ([UInt8]) throws -> Content
    ) throws -> Content {
        let data: Data
        do throws(RegularFile.Fault) {
            data = try RegularFile.contents(of: file, maximumSize: 1 << 20)
        } catch {
            let message = OperatorMessage(error, file)
            throw OperatorMessage("\(key)：\(message.chinese)", "\(key): \(message.english)")
        }
        do {
            return try read(Array(data))
        } catch {
            throw OperatorMessage(
                "\(key)：文件 \(file) 应为 PEM 格式的\(chinese)。",
                "\(key): the file \(file) must hold \(english) in PEM format.")
        }
    }
}
