import HTTPTypes
import Hummingbird
import NIOCore
import NIOPosix

/// Serves the files of one folder. Blocking calls run in the thread pool, never on the event loop.
struct StaticFolder: Sendable {
    private let root: String
    private let pool: NIOThreadPool

    /// - Parameter root: path of the folder, with or without a slash at its end.
    init(root: String, pool: NIOThreadPool = .singleton) {
        self.root = root.hasSuffix("/") ? root : root + "/"
        self.pool = pool
    }

    /// The answer to GET or HEAD; `nil` when there is no such file.
    /// - Parameters:
    ///   - path: of the target, percent-encoded.
    ///   - query: of the target, for a redirect.
    func respond(to request: Request, path: String, query: String?) async throws -> Response? {
        switch StaticPath(path) {
        case .malformed:
            return Response.sentence(.badRequest, "The path is not a path.")
        case .hidden:
            return nil
        case .file(let name, isDirectory: false):
            switch try await open(name) {
            case .file(let file): return try await response(for: request, file: file, name: name)
            case .directory: return redirect(to: path + "/", query: query)
            case .absent: return nil
            }
        case .file(let name, isDirectory: true):
            return try await page(name.isEmpty ? "index.html" : name + "/index.html", for: request)
        }
    }

    /// A file by its name in the folder; `nil` when there is none.
    func page(_ name: String, for request: Request) async throws -> Response? {
        guard case .file(let file) = try await open(name) else { return nil }
        return try await response(for: request, file: file, name: name)
    }

    private func open(_ name: String) async throws -> OpenFile.Outcome {
        let path = root + name
        return try await pool.runIfActive { OpenFile.open(path) }
    }

    private func redirect(to path: String, query: String?) -> Response {
        var response = Response.sentence(.movedPermanently, "The folder is at \(path)")
        response.headers[.location] = query.map { "\(path)?\($0)" } ?? path
        return response
    }

    private func response(for request: Request, file: OpenFile, name: String) async throws -> Response {
        let conditions = FileConditions(
            ifNoneMatch: request.headers[.ifNoneMatch],
            ifModifiedSince: request.headers[.ifModifiedSince],
            ifRange: request.headers[.ifRange],
            range: request.headers[.range]
        )
        var fields = HTTPFields()
        fields[.eTag] = file.tag
        fields[.lastModified] = HTTPDate.format(file.modified)
        // Kept by browsers, but asked for again each time: a deployed change is seen at once.
        fields[.cacheControl] = "no-cache"
        fields[.acceptRanges] = "bytes"
        switch conditions.answer(tag: file.tag, modified: file.modified, size: file.size) {
        case .notModified:
            return Response(status: .notModified, headers: fields)
        case .unsatisfiable:
            var response = Response.sentence(.rangeNotSatisfiable, "The file has \(file.size) bytes.")
            response.headers[.contentRange] = "bytes */\(file.size)"
            return response
        case .part(let range):
            fields[.contentType] = ContentType.of(name)
            fields[.contentRange] = "bytes \(range.lowerBound)-\(range.upperBound - 1)/\(file.size)"
            return try await Response(status: .partialContent, headers: fields, body: body(of: file, range))
        case .whole:
            fields[.contentType] = ContentType.of(name)
            return try await Response(status: .ok, headers: fields, body: body(of: file, 0..<file.size))
        }
    }

    private func body(of file: OpenFile, _ range: Range<Int64>) async throws -> ResponseBody {
        if range.count <= HTTPLimits.fileChunk {
            return ResponseBody(byteBuffer: try await pool.runIfActive { try file.read(range) })
        }
        return ResponseBody(contentLength: range.count) { [pool] writer in
            var start = range.lowerBound
            while start < range.upperBound {
                let piece = start..<min(start + Int64(HTTPLimits.fileChunk), range.upperBound)
                try await writer.write(pool.runIfActive { try file.read(piece) })
                start = piece.upperBound
            }
            try await writer.finish(nil)
        }
    }
}
