internal import Activities
internal import Basics
internal import HTTPTypes
internal import JWTKit

/// Tells web players apart by a token that another system of the operator signed (JWT, HS256).
struct PlayerTokens: Sendable {
    struct Claims: JWTPayload {
        let sub: SubjectClaim
        let exp: ExpirationClaim

        func verify(using algorithm: some JWTAlgorithm) throws {
            try exp.verifyNotExpired()
        }
    }

    private let keys: JWTKeyCollection

    /// - Parameter secret: The shared secret's bytes.
    init(secret: String) async {
        keys = JWTKeyCollection()
        await keys.add(hmac: HMACKey(from: secret), digestAlgorithm: .sha256)
    }

    /// - Parameter authorization: The header's value.
    /// - Throws: ``APIRefusal`` with 401, without detail.
    func user(_ authorization: String?) async throws -> UserID {
        guard let authorization, let space = authorization.firstIndex(of: " "),
            authorization[..<space].lowercased() == "bearer",
            let claims = try? await keys.verify(
                String(authorization[authorization.index(after: space)...]), as: Claims.self),
            (1...100).contains(claims.sub.value.utf8.count),
            claims.sub.value.unicodeScalars.allSatisfy(isPrintable)
        else { throw APIRefusal(.unauthorized, "登录已失效，请重新登录。The login is missing or has ended; log in again.") }
        return UserID("web:\(claims.sub.value)")
    }
}
