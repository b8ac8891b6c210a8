internal import CLibcrypto

/// Powers of public numbers, for signatures to be checked.
package enum RSAPublicPower {
    /// `data ^ exponent mod modulus`, as long as the modulus.
    /// - Parameters:
    ///   - data: as long as the modulus, and below it.
    ///   - modulus: big endian, odd.
    ///   - exponent: big endian.
    package static func compute(
        _ data: [UInt8], exponent: [UInt8], modulus: [UInt8]
    ) throws(LibCryptoError) -> [UInt8] {
        guard data.count == modulus.count else { throw .wrongCount(what: "RSA data", found: data.count) }
        let number = try BigNumber(data)
        let range = try BigNumber(modulus)
        guard range.isAbove(number) else {
            throw .wrongCount(what: "RSA data", found: data.count)
        }
        return try BigNumber.power(number, try BigNumber(exponent), modulus: range).bytes(
            count: modulus.count)
    }
}

/// A private key of a virtual card or of a test issuer, as its five CRT components (EMV CPS, DGI 8201 to 8205). It
/// describes itself without them.
package struct RSAPrivateKey: Sendable, CustomStringConvertible, CustomReflectable {
    /// Big endian, as the components of a key are written.
    package struct Components: Sendable {
        /// The two primes, each half as long as the modulus.
        package var prime1, prime2: [UInt8]
        /// d modulo each prime less one.
        package var exponent1, exponent2: [UInt8]
        /// The inverse of `prime2` modulo `prime1`.
        package var coefficient: [UInt8]

        package init(
            prime1: [UInt8], prime2: [UInt8], exponent1: [UInt8], exponent2: [UInt8], coefficient: [UInt8]
        ) {
            self.prime1 = prime1
            self.prime2 = prime2
            self.exponent1 = exponent1
            self.exponent2 = exponent2
            self.coefficient = coefficient
        }
    }

    /// The key's numbers.
    package let components: Components
    /// Big endian.
    package let modulus: [UInt8]

    /// Nothing of the key.
    package var description: String { "RSA private key of \(modulus.count * 8) bits" }
    /// Empty, so that a dump shows nothing.
    package var customMirror: Mirror { Mirror(self, children: []) }

    /// Takes the components; the modulus is the product of the primes.
    package init(_ components: Components) throws(LibCryptoError) {
        self.components = components
        let product = try BigNumber.product(
            try BigNumber(components.prime1), try BigNumber(components.prime2))
        modulus = try product.bytes(count: product.byteCount)
    }

    /// The power with the private exponent, by the Chinese remainder theorem.
    /// - Parameter data: as long as the modulus, and below it.
    package func power(_ data: [UInt8]) throws(LibCryptoError) -> [UInt8] {
        guard data.count == modulus.count else { throw .wrongCount(what: "RSA data", found: data.count) }
        let number = try BigNumber(data)
        guard try BigNumber(modulus).isAbove(number) else {
            throw .wrongCount(what: "RSA data", found: data.count)
        }
        let (p, q) = (try BigNumber(components.prime1), try BigNumber(components.prime2))
        let first = try BigNumber.power(
            try BigNumber.modulo(number, p), try BigNumber(components.exponent1), modulus: p)
        let second = try BigNumber.power(
            try BigNumber.modulo(number, q), try BigNumber(components.exponent2), modulus: q)
        let difference = try BigNumber.difference(first, second, modulo: p)
        let factor = try BigNumber.product(difference, try BigNumber(components.coefficient), modulo: p)
        return try BigNumber.sum(second, try BigNumber.product(factor, q)).bytes(count: modulus.count)
    }

    /// Makes a key pair.
    /// - Parameters:
    ///   - bits: a multiple of 16, from 512.
    ///   - exponent: 3 or 65,537.
    package static func generate(bits: Int, exponent: UInt32) throws(LibCryptoError) -> RSAPrivateKey {
        guard let context = EVP_PKEY_CTX_new_from_name(nil, "RSA", nil) else {
            throw .last("EVP_PKEY_CTX_new_from_name")
        }
        defer { EVP_PKEY_CTX_free(context) }
        try check(EVP_PKEY_keygen_init(context), "EVP_PKEY_keygen_init")
        try check(
            EVP_PKEY_CTX_set_rsa_keygen_bits(context, Int32(bits)), "EVP_PKEY_CTX_set_rsa_keygen_bits")
        let number = try BigNumber((0..<4).map { UInt8(truncatingIfNeeded: exponent >> UInt32(24 - 8 * $0)) })
        try check(
            withExtendedLifetime(number) { EVP_PKEY_CTX_set1_rsa_keygen_pubexp(context, number.value) },
            "EVP_PKEY_CTX_set1_rsa_keygen_pubexp")
        var pair: OpaquePointer?
        try check(EVP_PKEY_generate(context, &pair), "EVP_PKEY_generate")
        defer { EVP_PKEY_free(pair) }
        func part(_ name: String) throws(LibCryptoError) -> [UInt8] {
            let value = try BigNumber([])
            var pointer: OpaquePointer? = value.value
            try check(
                withExtendedLifetime(value) { EVP_PKEY_get_bn_param(pair, name, &pointer) },
                "EVP_PKEY_get_bn_param")
            return try value.bytes(count: bits / 16)
        }
        return try RSAPrivateKey(
            Components(
                prime1: try part("rsa-factor1"), prime2: try part("rsa-factor2"),
                exponent1: try part("rsa-exponent1"), exponent2: try part("rsa-exponent2"),
                coefficient: try part("rsa-coefficient1")))
    }
}

/// A number of libcrypto's, wiped when it ends.
private final class BigNumber {
    let value: OpaquePointer

    init(_ bytes: [UInt8]) throws(LibCryptoError) {
        guard let value = BN_secure_new() else { throw .last("BN_secure_new") }
        guard BN_bin2bn(bytes, Int32(bytes.count), value) != nil else {
            BN_clear_free(value)
            throw .last("BN_bin2bn")
        }
        // Exponents and primes are secrets: no branches on their bits.
        BN_set_flags(value, 0x04)
        self.value = value
    }

    deinit { BN_clear_free(value) }

    func isAbove(_ other: BigNumber) -> Bool {
        withExtendedLifetime((self, other)) { BN_cmp(other.value, value) < 0 }
    }

    var byteCount: Int { (Int(BN_num_bits(value)) + 7) / 8 }

    func bytes(count: Int) throws(LibCryptoError) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        guard BN_bn2binpad(value, &bytes, Int32(count)) == count else { throw .last("BN_bn2binpad") }
        return bytes
    }

    private static func with(
        _ function: StaticString, _ body: (OpaquePointer, OpaquePointer) -> Int32
    ) throws(LibCryptoError) -> BigNumber {
        let result = try BigNumber([])
        guard let context = BN_CTX_new() else { throw .last("BN_CTX_new") }
        defer { BN_CTX_free(context) }
        try check(body(result.value, context), function)
        return result
    }

    static func power(
        _ base: BigNumber, _ exponent: BigNumber, modulus: BigNumber
    ) throws(LibCryptoError) -> BigNumber {
        try with("BN_mod_exp") { BN_mod_exp($0, base.value, exponent.value, modulus.value, $1) }
    }

    static func modulo(_ number: BigNumber, _ modulus: BigNumber) throws(LibCryptoError) -> BigNumber {
        try with("BN_nnmod") { BN_nnmod($0, number.value, modulus.value, $1) }
    }

    static func difference(
        _ one: BigNumber, _ other: BigNumber, modulo modulus: BigNumber
    ) throws(LibCryptoError) -> BigNumber {
        try with("BN_mod_sub") { BN_mod_sub($0, one.value, other.value, modulus.value, $1) }
    }

    static func product(
        _ one: BigNumber, _ other: BigNumber, modulo modulus: BigNumber
    ) throws(LibCryptoError) -> BigNumber {
        try with("BN_mod_mul") { BN_mod_mul($0, one.value, other.value, modulus.value, $1) }
    }

    static func product(_ one: BigNumber, _ other: BigNumber) throws(LibCryptoError) -> BigNumber {
        try with("BN_mul") { BN_mul($0, one.value, other.value, $1) }
    }

    static func sum(_ one: BigNumber, _ other: BigNumber) throws(LibCryptoError) -> BigNumber {
        try with("BN_add") { result, _ in BN_add(result, one.value, other.value) }
    }
}
