/// The client library for pages without modules, derived from the module.
package enum ClassicScript {
    /// What stands behind this line is for modules only: the module's address, and the export as the last statement.
    static let mark = "\n/* module */\n"

    /// The same code in a function of its own that leaves the exported names in `globalThis.wsd`; `nil` where the module does
    /// not end as agreed.
    package static func derived(from module: [UInt8]) -> [UInt8]? {
        let mark = Array(mark.utf8)
        guard module.count > mark.count,
            let start = (0...module.count - mark.count).last(where: { module[$0...].starts(with: mark) })
        else { return nil }
        let tail = String(decoding: module[(start + mark.count)...], as: UTF8.self)
        guard let last = tail.split(separator: "\n").last, last.hasPrefix("export {"), last.hasSuffix("};") else {
            return nil
        }
        let names = last.dropFirst("export {".count).dropLast("};".count)
        guard names.allSatisfy({ $0.isLetter || $0.isNumber || "_$, ".contains($0) }) else { return nil }
        return Array("(() => {\n".utf8) + module[...start] + Array("globalThis.wsd = {\(names)};\n})();\n".utf8)
    }
}
