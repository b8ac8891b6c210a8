import FuzzTargets

/// libFuzzer's entry.
@_cdecl("LLVMFuzzerTestOneInput")
package func fuzz(_ data: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    FuzzTarget.dialect.run(Array(UnsafeBufferPointer(start: data, count: count)))
    return 0
}
