/// Open files of one process: how many it may have and how many it has.
struct DescriptorLimits: Equatable {
    /// `nil`: unlimited.
    var soft: Int?
    var hard: Int?
    /// `nil`: the caller may not look.
    var used: Int?

    /// Reads the text of `/proc/<pid>/limits` (proc(5)); `nil` when it has no such line.
    init?(limits text: String, used: Int?) {
        guard let line = text.split(separator: "\n").first(where: { $0.hasPrefix("Max open files") }) else {
            return nil
        }
        let values = line.dropFirst("Max open files".count).split(separator: " ")
        guard values.count >= 2 else { return nil }
        func value(_ text: Substring) -> Int?? { text == "unlimited" ? .some(nil) : Int(text).map { .some($0) } ?? nil }
        guard let soft = value(values[0]), let hard = value(values[1]) else { return nil }
        (self.soft, self.hard, self.used) = (soft, hard, used)
    }

    init(soft: Int?, hard: Int?, used: Int?) {
        (self.soft, self.hard, self.used) = (soft, hard, used)
    }
}
