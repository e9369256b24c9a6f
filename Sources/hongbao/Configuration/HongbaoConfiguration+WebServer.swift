internal import NIOSSL
internal import WebServer

extension HongbaoConfiguration {
    /// What of it the HTTP server needs.
    ///
    /// - Throws: An ``OperatorMessage`` when the certificate or its key cannot be read.
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
            do {
                let chain = try NIOSSLCertificate.fromPEMFile(tlsCertificateFile).map {
                    NIOSSLCertificateSource.certificate($0)
                }
                server.tls = .makeServerConfiguration(
                    certificateChain: chain,
                    privateKey: .privateKey(try NIOSSLPrivateKey(file: tlsKeyFile, format: .pem)))
            } catch {
                throw OperatorMessage(
                    "读不了 TLS 证书：请检查 tls_certificate_file（\(tlsCertificateFile)）和 tls_key_file（\(tlsKeyFile)）是否为 PEM 文件。",
                    "The TLS certificate cannot be read: check that tls_certificate_file (\(tlsCertificateFile)) and "
                        + "tls_key_file (\(tlsKeyFile)) are PEM files.")
            }
        }
        return server
    }
}
