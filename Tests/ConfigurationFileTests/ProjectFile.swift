import Glibc
import Testing

@testable import ConfigurationFile

/// The text of a file of the repository.
func projectFile(_ path: String) throws -> String {
    let here = try #require(realpath(#filePath, nil))
    defer { free(here) }
    let root = String(cString: here).split(separator: "/").dropLast(3).joined(separator: "/")
    let file = try #require(fopen("/\(root)/\(path)", "r"), "\(path) is missing")
    defer { fclose(file) }
    var bytes = [UInt8](repeating: 0, count: FileReader.sizeMax)
    let count = fread(&bytes, 1, bytes.count, file)
    return String(decoding: bytes[..<count], as: UTF8.self)
}
