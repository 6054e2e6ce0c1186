import CAssets

/// Files of `systemd/` that wsctl carries.
enum ServiceFile: CaseIterable {
    case service
    case instance
    case socket
    case userService
    case sysusers
    /// What stands in a new configuration in the place of the line `#listen:`.
    case listen

    var text: String {
        let asset =
            switch self {
            case .service: wsd_asset_service()
            case .instance: wsd_asset_instance()
            case .socket: wsd_asset_socket()
            case .userService: wsd_asset_user_service()
            case .sysusers: wsd_asset_sysusers()
            case .listen: wsd_asset_listen()
            }
        return String(decoding: UnsafeBufferPointer(start: asset.bytes, count: asset.length), as: UTF8.self)
    }

    /// First line of every file written, by which it is known again.
    static let mark =
        "# Written by wsctl install-service, which overwrites it. Changes belong into drop-ins: systemctl edit wsd"

    /// The file for this machine, with ``mark``.
    ///
    /// - Parameters:
    ///   - programs: the folder of wsd and wsctl, absolute and without a slash at the end.
    ///   - account: whom the service runs as, in that user's own group; `nil`: as the file has it.
    func adapted(programs: String, account: String? = nil) -> String {
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false).compactMap { line -> String? in
            if let account, line.hasPrefix("User=") { return "User=\(account)" }
            if account != nil, line.hasPrefix("Group=") { return nil }
            guard line.hasPrefix("Exec"), let equals = line.firstIndex(of: "=") else { return String(line) }
            let command = line[line.index(after: equals)...]
            guard command.hasPrefix(Self.packaged) else { return String(line) }
            return "\(line[...equals])\(programs)/\(command.dropFirst(Self.packaged.count))"
        }
        return ([Self.mark] + lines).joined(separator: "\n")
    }

    /// Folder of the programs in the files as they stand.
    private static let packaged = "/usr/bin/"
}

/// The configuration of a service that starts as it is installed: the example, on this machine only.
enum StartingConfiguration {
    /// - Parameter example: what `wsd --print-example-config` says.
    /// - Returns: `nil` where it has no line `#listen:`.
    static func text(example: String) -> String? {
        var isFound = false
        let lines = example.split(separator: "\n", omittingEmptySubsequences: false).map { line in
            guard line.hasPrefix("#listen:"), !isFound else { return String(line) }
            isFound = true
            return String(ServiceFile.listen.text.dropLast())
        }
        return isFound ? lines.joined(separator: "\n") : nil
    }
}
