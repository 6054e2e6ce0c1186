/// Values of the slices that ``JSONScanner`` has found and checked, as the dialects and the backend's API need them.
enum JSONField {
    /// A whole number without sign, fraction or exponent; `nil` where it is none or too large.
    static func unsigned(_ slice: JSONSlice, in bytes: UnsafeRawBufferPointer) -> UInt64? {
        guard slice.kind == .number, slice.range.upperBound <= bytes.count else { return nil }
        var value: UInt64 = 0
        for byte in UnsafeRawBufferPointer(rebasing: bytes[slice.range]) {
            guard byte &- UInt8(ascii: "0") < 10 else { return nil }
            let (product, overflow) = value.multipliedReportingOverflow(by: 10)
            let (sum, carry) = product.addingReportingOverflow(UInt64(byte &- UInt8(ascii: "0")))
            guard !overflow, !carry else { return nil }
            value = sum
        }
        return value
    }

    static func boolean(_ slice: JSONSlice, in bytes: UnsafeRawBufferPointer) -> Bool? {
        guard slice.kind == .boolean, slice.range.lowerBound < bytes.count else { return nil }
        return bytes[slice.range.lowerBound] == UInt8(ascii: "t")
    }

    /// Text of 1…`maxBytes` bytes of UTF-8.
    static func text(_ slice: JSONSlice?, maxBytes: Int, in bytes: UnsafeRawBufferPointer) -> String? {
        guard let slice, let text = JSONString.text(slice, in: bytes), (1...max(1, maxBytes)).contains(text.utf8.count)
        else { return nil }
        return text
    }

    /// The slice, unless it is JSON's `null`, which says the same as leaving the key out.
    static func present(_ slice: JSONSlice?) -> JSONSlice? {
        slice?.kind == .null ? nil : slice
    }
}
