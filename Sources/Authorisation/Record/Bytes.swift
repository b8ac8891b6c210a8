/// Big endian numbers at a place in a record. The place was checked when the record came in.
extension [UInt8] {
    @inline(__always)
    func load<Number: FixedWidthInteger>(_ place: Int, as type: Number.Type) -> Number {
        withUnsafeBytes { Number(bigEndian: $0.loadUnaligned(fromByteOffset: place, as: type)) }
    }

    @inline(__always)
    mutating func put<Number: FixedWidthInteger>(_ number: Number, at place: Int) {
        withUnsafeMutableBytes { $0.storeBytes(of: number.bigEndian, toByteOffset: place, as: Number.self) }
    }

    /// Appends the number's bytes.
    @inline(__always)
    mutating func append<Number: FixedWidthInteger>(bigEndian number: Number) {
        Swift.withUnsafeBytes(of: number.bigEndian) { append(contentsOf: $0) }
    }
}
