internal import Activities
internal import Basics
internal import ChatPlatforms
internal import Foundation
internal import HTTPTypes
internal import JWTKit

/// Tells web players apart by a token that another system of the operator signed (JWT, HS256).
struct PlayerTokens: Sendable {
    struct Claims: JWTPayload {
        let sub: SubjectClaim
        let exp: ExpirationClaim
        let nbf: NotBeforeClaim?

        /// The times are held against the server's own clock instead, which is not known here.
        func verify(using algorithm: some JWTAlgorithm) {}
    }

    /// Takes HS256 only: the library verifies with the key that it has, whatever the header names.
    private struct Parser: JWTParser {
        var jsonDecoder: any JWTJSONDecoder = .defaultForJWT

        func parse<Payload: JWTPayload>(
            _ token: some DataProtocol, as type: Payload.Type
        ) throws -> (header: JWTHeader, payload: Payload, signature: Data) {
            let parsed = try DefaultJWTParser(jsonDecoder: jsonDecoder).parse(token, as: type)
            guard parsed.header.alg == "HS256", parsed.header.crit == nil else {
                throw JWTError.malformedToken(reason: "not HS256")
            }
            return parsed
        }
    }

    /// Bytes of a token; longer ones are not looked at.
    private static let maximumSize = 4096

    private let keys: JWTKeyCollection
    private let clock: WallClock

    /// - Parameter secret: The shared secret's bytes.
    init(secret: String, clock: @escaping WallClock) async {
        self.clock = clock
        keys = JWTKeyCollection()
        await keys.add(hmac: HMACKey(from: secret), digestAlgorithm: .sha256, parser: Parser())
    }

    /// - Parameter authorization: The header's value.
    /// - Throws: ``APIRefusal`` with 401, without detail.
    func user(_ authorization: String?) async throws -> UserID {
        guard let authorization, let space = authorization.firstIndex(of: " "),
            authorization[..<space].lowercased() == "bearer", authorization.utf8.count <= Self.maximumSize,
            let claims = try? await keys.verify(
                String(authorization[authorization.index(after: space)...]), as: Claims.self),
            (1...100).contains(claims.sub.value.utf8.count),
            claims.sub.value.unicodeScalars.allSatisfy(isPrintable), isCurrent(claims)
        else { throw APIRefusal(.unauthorized, "登录已失效，请重新登录。The login is missing or has ended; log in again.") }
        return UserID("web:\(claims.sub.value)")
    }

    private func isCurrent(_ claims: Claims) -> Bool {
        let now = Date(timeIntervalSince1970: TimeInterval(clock().milliseconds) / 1000)
        return now < claims.exp.value && claims.nbf.map { now >= $0.value } ?? true
    }
}
