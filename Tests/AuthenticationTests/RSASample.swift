/// A key made for these tests alone.
enum RSASample {
    static let privateKey = """
        -----BEGIN PRIVATE KEY-----
        MIIEvgIBADANBgkqhkiG9w0BAQEFAASCBKgwggSkAgEAAoIBAQCs0yxxHsYT3f6V
        G5VamHGybYIvPzZq0DVCXgnxqs7oqXRqR2hP8Ju15eN29REpA3ecvary3o4KOQYw
        dQdF/bVh2IF0J4Dpjk7gG17YIBcUwJTrKf5z6/bAX6d7xQIBCkuBuzsTslxmnmHb
        LE9WUK/awOx+IBJ/6/7J5cYpxrashEOshiZysFyS4mU+TDAcyxH4VLwc0B0dbatP
        QqzvCFJifVES7+DkSbmWvk1aRlA7shyVocch18MT3SwklOH2Rrwd9GulXsxaLF9Y
        A45AoabPEme1YzDUcMqgo36LZrYcIIx5eIwMTVDa4Bbxb65hbSK4wqbJS8STYwXD
        v7EoQ1vvAgMBAAECggEAPYwxIhIHEbE4Bosdu/dZWmVkfQYCj7SZmwqZeP7PFA2x
        H15R2FJEadm2kblCBLyu3tuvIzI+HIblXOF4lyT88R0lMSQWZVbgYTBuLQL0pVfW
        UQ+SBl+M70LBhzMIfS1Y6Zkvt1qITKVwDRlxIbi3f+y/7ETowbTedrGFSoBxsusL
        PaxwRezLJyuY2/R4mx70TISrFLkXCktwTXpO64n5Syy73SV/2sSLjHKn6cCwXQKZ
        Z+74LGcjuRJJF+Ae2gFgRKCpXpmEuI6ACeM4RYmsWnZrcSiBOKeCDFm+XMajLTd6
        wWQAMJrOHNntHOjw6EogjgyyQdCGoxFgLDaQGEYf2QKBgQDlNfV69Jg6FcrK+pdb
        Nh8V3u5f7blR7ug559EuufjhVDvZQDiqJYZpeM6EroQd588E+isbJCC5ZTpguB8j
        ab1xVHulC4di10fRnJpcuNiDyfqXszXE1t65FTJiTEUD8T+MR/odx7pk4b9z9r4E
        Ir0/Iv8AktKQWmQk85ofgUGQpwKBgQDBBiK+bmRgSSXiH82BMv7kKotEor1FaSos
        O2GsCRPiviyYMrKCImnDLUjtOBVWNutrEmsrj9yaiSaforJs3AXSAcpcF/msoH0r
        MSklgCb2eacQBR4Zoa3ghFS+TnGV9UHuEbtPiGt4l+3vXET62DaUKlon9DQ3zB8x
        vk8w7wS7eQKBgQC8Zx7xQw3BaNo4/8PbgGAKzSSpCzEx7KtLtYWW39x38pIDICuz
        h4a1OUyfeQc1wa3DjJJUC90uJsvWZmGJ7Ud/WQ8M+a3+C7CH1i53mqS1pxbpDLBc
        rLWD8q1oaQKtm+Y9O4iWY+6NL5X8DsvfgGKH/A8Y/JZBe1snmGiODuPCrwKBgQCM
        Gbf+IIIaoP0uM4clz63STk7ncneOedZyZGdwRuZ4HTChB6spaXD6iVP1Wk+iVBpr
        jOLcq36jbAjstVpsSQawdzw5u+0srxAq2XPUFEAzhfkMV6qRUBi0bVhVCPrIrUs9
        UQFzqMDYtu2sXnxy1ZxHzrXBai68kRvTLx6rldEJgQKBgAnXIsCxkRtIVShzg0f6
        BoNMfoE9tK+1YztnOmutv6Gsac4naeMuvdg8v1bg3VECwHgrG32O3NnzeuBvyceY
        U5v/pUrOlHlqkCvpBfx8d+EManu3Lb0A+qtrgzjZlll08KVB0yc8CCJzP386F7h9
        jObc5lFE3BjbIQzWWAurC6oW
        -----END PRIVATE KEY-----
        """
}
