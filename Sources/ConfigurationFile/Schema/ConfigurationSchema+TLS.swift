import Model

// The keys of TLS, and what must hold between them.

extension ConfigurationSchema {
    static let tls = [
        SchemaKey(
            "tls.certificate", file: \.tls.certificate, .certificates,
            "PEM file with the certificate, and behind it those that lead to its authority (fullchain.pem). With it every TCP "
                + "address of listen speaks TLS; Unix sockets stay plain. A new file is taken up without a reload."),
        SchemaKey(
            "tls.key", file: \.tls.key, .privateKey,
            "PEM file with the certificate's private key, without a passphrase."),
        SchemaKey(
            "tls.minimumVersion", \.tls.minimumVersion, .choice,
            "Oldest version of TLS that is spoken. Of 1.2 only ciphers with forward secrecy and authenticated encryption."
        ),
        SchemaKey(
            "tls.clientCertificates", \.tls.clientCertificates, .choice,
            "Whether clients are asked for a certificate: none, optional (one that is shown has to be good) or required."
        ),
        SchemaKey(
            "tls.clientAuthority", file: \.tls.clientAuthority, .certificates,
            "PEM file with the authorities whose client certificates count."),
        SchemaKey(
            "tls.redirectFrom", list: \.tls.redirectFrom, .listen, reload: false,
            "Further addresses, such as \":80\", where plain HTTP is answered by a redirect (308) to https, and health checks "
                + "are answered."),
        SchemaKey(
            "tls.hsts", \.tls.hsts, .duration(.seconds(1) ... .seconds(2 * 365 * 24 * 60 * 60), zero: "not at all"),
            "How long browsers are told to use https alone for this host (Strict-Transport-Security). Hard to take back."
        ),
    ]
}

extension ConfigurationRule {
    static let tls = [
        ConfigurationRule(
            keys: ["tls.certificate", "tls.key"], documentation: "`tls.certificate` and `tls.key` belong together."
        ) { (configuration) -> String? in
            switch (configuration.tls.certificate, configuration.tls.key) {
            case (.some, nil): "tls.certificate needs tls.key: the file with the certificate's private key"
            case (nil, .some): "tls.key needs tls.certificate: the file with the certificate that the key belongs to"
            case (nil, nil), (.some, .some): nil
            }
        },
        ConfigurationRule(
            keys: ["tls.clientCertificates", "tls.clientAuthority"],
            documentation: "`tls.clientCertificates` needs `tls.clientAuthority`."
        ) { (configuration) -> String? in
            let tls = configuration.tls
            guard tls.clientCertificates != .none, tls.clientAuthority == nil else { return nil }
            return
                "tls.clientCertificates is \(tls.clientCertificates.rawValue), which needs tls.clientAuthority: the file "
                + "with the authorities whose certificates count"
        },
        ConfigurationRule(
            keys: ["tls.certificate", "tls.clientCertificates", "tls.redirectFrom", "tls.hsts"],
            documentation: "`tls.clientCertificates`, `tls.redirectFrom` and `tls.hsts` need `tls.certificate`."
        ) { (configuration) -> [Breach] in withoutCertificate(configuration.tls) },
        ConfigurationRule(
            keys: ["tls.redirectFrom", "listen"],
            documentation: "`tls.redirectFrom` holds TCP addresses, none twice and none that `listen` has."
        ) { (configuration) -> String? in brokenRedirects(configuration.tls.redirectFrom, configuration.listen) },
    ]

    private static func withoutCertificate(_ tls: TLSConfiguration) -> [Breach] {
        guard !tls.isOn else { return [] }
        let set = [
            ("tls.clientCertificates", tls.clientCertificates != .none),
            ("tls.redirectFrom", !tls.redirectFrom.isEmpty), ("tls.hsts", tls.hsts > .zero),
        ]
        return set.filter(\.1).map { name, _ in
            Breach(
                message: "\(name) needs tls.certificate and tls.key: without them nothing here speaks TLS",
                place: Place(key: name))
        }
    }

    private static func brokenRedirects(_ redirects: [ListenAddress], _ listen: [ListenAddress]) -> String? {
        for (index, address) in redirects.enumerated() {
            guard case .tcp(let host, let port) = address else {
                return "tls.redirectFrom holds \(address), but only browsers need redirects, and they connect over TCP"
            }
            guard port != 0 else { continue }
            for earlier in redirects[..<index] + listen {
                guard case .tcp(let otherHost, port) = earlier else { continue }
                let name = index > 0 && redirects[..<index].contains(earlier) ? "tls.redirectFrom" : "listen"
                if earlier == address {
                    return name == "listen"
                        ? "tls.redirectFrom holds \(address), where listen has the service itself"
                        : "tls.redirectFrom holds \(address) twice"
                }
                if host == nil || otherHost == nil {
                    return
                        "tls.redirectFrom holds \(address), which excludes \(earlier) of \(name): one of them is for all "
                        + "addresses of that port"
                }
            }
        }
        return nil
    }
}

extension ConfigurationDoubts {
    /// TLS that says nothing, or that pages are sent away from.
    static func tls(_ configuration: WsdConfiguration) -> [String] {
        let tls = configuration.tls
        guard tls.isOn else { return [] }
        var doubts: [String] = []
        let speaksTCP = configuration.listen.contains { if case .tcp = $0 { true } else { false } }
        if !speaksTCP { doubts.append("tls.certificate says nothing, because listen holds Unix sockets alone") }
        if tls.clientAuthority != nil, tls.clientCertificates == .none {
            doubts.append("tls.clientAuthority says nothing: set tls.clientCertificates to optional or required")
        }
        if let base = configuration.http.publicURL, base.hasPrefix("ws://"), speaksTCP {
            doubts.append("http.publicURL begins with ws://, but the service speaks TLS: write wss://")
        }
        return doubts
    }
}
