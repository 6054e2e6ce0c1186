import Glibc

/// Files of inputs: each holds one, and one whose name ends with `.hex` holds one in each line, as hexadecimal digits.
enum Corpus {
    /// Longer inputs are not kept in a `.hex` file, bytes.
    private static let maxPacked = 512
    /// Bytes read of a file; longer inputs find nothing that shorter ones do not.
    static let maxInput = 64 * 1024

    struct Failure: Error, CustomStringConvertible {
        var description: String
    }

    /// The files of a folder, by name.
    static func read(_ folder: String) throws -> [[UInt8]] {
        guard let stream = opendir(folder) else { throw failure("read the folder", folder) }
        defer { closedir(stream) }
        var names: [String] = []
        while let entry = readdir(stream) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if !name.hasPrefix(".") { names.append(name) }
        }
        return try names.sorted().flatMap { name in
            let path = "\(folder)/\(name)"
            return name.hasSuffix(".hex") ? try unpack(readFile(path, most: .max), path) : [try readFile(path)]
        }
    }

    /// Writes a `.hex` file, in an order that does not depend on how the inputs were found.
    static func pack(_ inputs: [[UInt8]], to path: String) throws {
        let digits = Array("0123456789abcdef".utf8)
        let kept = Set(inputs).filter { !$0.isEmpty && $0.count <= maxPacked }
        let lines = kept.map { input in input.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] } }
        let sorted = lines.sorted { $0.count == $1.count ? $0.lexicographicallyPrecedes($1) : $0.count < $1.count }
        try write(sorted.flatMap { $0 + [0x0A] }, to: path)
    }

    private static func unpack(_ text: [UInt8], _ path: String) throws -> [[UInt8]] {
        try text.split(separator: 0x0A).map { line in
            let digits = line.compactMap { Character(Unicode.Scalar($0)).hexDigitValue }
            guard digits.count == line.count, digits.count.isMultiple(of: 2) else {
                throw Failure(description: "\(path) holds a line that is no pairs of hexadecimal digits")
            }
            return stride(from: 0, to: digits.count, by: 2).map { UInt8(digits[$0] << 4 | digits[$0 + 1]) }
        }
    }

    /// - Parameter most: bytes read.
    static func readFile(_ path: String, most: Int = maxInput) throws -> [UInt8] {
        guard let file = fopen(path, "r") else { throw failure("read", path) }
        defer { fclose(file) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: maxInput)
        while bytes.count < most {
            let count = fread(&chunk, 1, min(chunk.count, most - bytes.count), file)
            guard count > 0 else { break }
            bytes += chunk[..<count]
        }
        return bytes
    }

    static func write(_ bytes: [UInt8], to path: String) throws {
        guard let file = fopen(path, "w") else { throw failure("write", path) }
        let written = fwrite(bytes, 1, bytes.count, file)
        guard fclose(file) == 0, written == bytes.count else { throw failure("write", path) }
    }

    /// Writes one file for each input: NAME-00, NAME-01 …
    static func write(_ inputs: [[UInt8]], into folder: String, name: String) throws {
        try makeFolder(folder)
        for (index, input) in inputs.enumerated() {
            try write(input, to: "\(folder)/\(name)-\(index < 10 ? "0" : "")\(index)")
        }
    }

    /// Makes a folder and those above it that are missing.
    static func makeFolder(_ path: String) throws {
        var made = path.hasPrefix("/") ? "/" : ""
        for part in path.split(separator: "/") {
            made += "\(part)/"
            guard mkdir(made, 0o755) == 0 || errno == EEXIST else { throw failure("make the folder", made) }
        }
    }

    private static func failure(_ what: String, _ path: String) -> Failure {
        Failure(description: "Could not \(what) \(path): \(String(cString: strerror(errno)))")
    }
}
