import Glibc
import Testing

/// The text of a file of the repository.
func projectFile(_ path: String) throws -> String {
    let here = try #require(realpath(#filePath, nil))
    defer { free(here) }
    let root = String(cString: here).split(separator: "/").dropLast(4).joined(separator: "/")
    let file = try #require(fopen("/\(root)/\(path)", "r"), "\(path) is missing")
    defer { fclose(file) }
    var text: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 64 * 1024)
    while true {
        let count = fread(&buffer, 1, buffer.count, file)
        guard count > 0 else { return String(decoding: text, as: UTF8.self) }
        text += buffer[..<count]
    }
}
