import Model

/// Where a configuration has the service's log.
struct ConfiguredLog: Equatable {
    var file: String?
    var files = LogFiles.auto
    /// `nil`: the usual place.
    var folder: String?
    /// `history.directory`; `nil`: the usual place.
    var stateDirectory: String?

    init(file: String? = nil, files: LogFiles = .auto, folder: String? = nil, stateDirectory: String? = nil) {
        (self.file, self.files, self.folder, self.stateDirectory) = (file, files, folder, stateDirectory)
    }

    /// Reads what `wsd --print-config` says.
    init(printed: String) {
        for line in printed.split(separator: "\n") {
            guard let mark = line.firstRange(of: ": ") else { continue }
            let (key, rest) = (line[..<mark.lowerBound], line[mark.upperBound...])
            let written = rest.firstRange(of: "  #").map { rest[..<$0.lowerBound] } ?? rest
            let value = written.split(separator: " ").joined(separator: " ").filter { $0 != "\"" }
            switch key {
            case "log.file": file = value == "none" ? nil : value
            case "log.files": files = LogFiles(rawValue: value) ?? .auto
            case "log.folder": folder = value == "auto" ? nil : value
            case "history.directory": stateDirectory = value == "auto" ? nil : value
            default: continue
            }
        }
    }

    /// The file to look into; `nil`: there is none, or nothing says where.
    func path(environment: [String: String], userID: UInt32) -> String? {
        if let file { return file }
        guard files != .never else { return nil }
        var (log, history) = (LogConfiguration(), HistoryConfiguration())
        (log.folder, history.directory) = (folder, stateDirectory)
        let state = history.stateDirectory(environment: environment, uid: userID)
        return log.filesFolder(environment: environment, stateDirectory: state).map { $0 + "/wsd.log" }
    }
}
