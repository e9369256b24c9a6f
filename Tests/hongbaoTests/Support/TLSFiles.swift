/// A certificate for `localhost` and `127.0.0.1`, for nothing but these tests.
enum TLSFiles {
    static let certificate = """
        -----BEGIN CERTIFICATE-----
        MIIBSDCB7qADAgECAgEBMAoGCCqGSM49BAMCMBQxEjAQBgNVBAMMCWxvY2FsaG9z
        dDAgFw0yMDAxMDEwMDAwMDBaGA8yMTIwMDEwMTAwMDAwMFowFDESMBAGA1UEAwwJ
        bG9jYWxob3N0MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEkhkxJ2O8BCOypADW
        KWDfV8WOgydcaGiXOZLaCLNn1IXD8oFQAUAN2bOH+bhBqDjEtRogYPUfj6+Brml7
        j3Z6OqMvMC0wGgYDVR0RBBMwEYIJbG9jYWxob3N0hwR/AAABMA8GA1UdEwEB/wQF
        MAMBAf8wCgYIKoZIzj0EAwIDSQAwRgIhAPhv3euEZc7w0Z2LOWSA/0FUauvnbWsI
        aMs25fADb0bHAiEA0P0x97de6jtf8yU7g/BeH0KIB9tgsp2pXG+shoQDIGI=
        -----END CERTIFICATE-----

        """
    /// The certificate's own key.
    static let key = """
        -----BEGIN PRIVATE KEY-----
        MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgANz8BEiKrcLegiT9
        ypEonZ8m8Q8FLqRe/7+QDYF5wTChRANCAASSGTEnY7wEI7KkANYpYN9XxY6DJ1xo
        aJc5ktoIs2fUhcPygVABQA3Zs4f5uEGoOMS1GiBg9R+Pr4GuaXuPdno6
        -----END PRIVATE KEY-----

        """
    /// A key of another certificate.
    static let otherKey = """
        -----BEGIN PRIVATE KEY-----
        MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgW3IabdhFispyFwMn
        pM8xTTfJx3QTRu7z8Eg+c3xnbYihRANCAASV1FaR/vH6yKUOvRK/xBYS1A8+LpYb
        5IvQ3tgW1YuzyxsPG+GrrNgLYHm7+uiuhALuEsAy7/zk43g0OxOVIo47
        -----END PRIVATE KEY-----

        """
}
