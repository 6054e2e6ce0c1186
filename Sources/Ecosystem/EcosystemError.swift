/// Why a file cannot be imported.
package enum EcosystemError: Error, Equatable, Sendable, CustomStringConvertible {
    /// A sentence's end; line and column count from 1.
    case syntax(line: Int, column: Int, String)
    /// A program in JavaScript or TypeScript, and what makes JSON of it.
    case program(command: String)
    /// A sentence.
    case unusable(String)

    package var description: String {
        switch self {
        case .syntax(let line, let column, let reason): "Line \(line), column \(column): \(reason)."
        case .program(let command):
            "This file is a program, which wsctl does not run. Let its own language make JSON of it:\n  \(command)"
        case .unusable(let sentence): sentence
        }
    }
}

/// Bounds of what is read.
package enum EcosystemLimits {
    /// Bytes of a file.
    package static let bytes = 4 * 1024 * 1024
    /// Lists and objects within one another.
    static let depth = 64
    /// Values in all, those that YAML's aliases repeat included.
    static let values = 100_000
    /// YAML aliases in a file: comparing keys costs the YAML reader 3^(n/3) of them.
    static let aliases = 24
    /// Apps in a file, each process of `increment_var` counted.
    static let programs = 256
}
