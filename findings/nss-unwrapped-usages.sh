#!/usr/bin/env bash
# A private key comes into a token under another key: C_UnwrapKey with a template that says what it may do (PKCS#11 v2.40,
# 5.13; a false CKA_DECRYPT forbids deciphering). NSS softoken takes the template and lets the key do more.
# Uses the system's NSS (Debian: libnss3, libnss3-tools), its compiler, openssl and p11-kit's header (libp11-kit-dev).
# Exit code 1 if the behaviour is another one.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
module=$(find /usr/lib* -name libsoftokn3.so | head -1)
key=00112233445566778899AABBCCDDEEFF102132435465768798A9BACBDCEDFE0F
mkdir token && echo -n test-pin >pin && certutil -N -d sql:token -f pin
openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 2>/dev/null | openssl pkcs8 -topk8 -nocrypt -outform DER |
  openssl enc -aes-256-cbc -K $key -iv "$(printf '0%.0s' $(seq 32))" -out wrapped
cat >probe.c <<'C'
#include <dlfcn.h>
#include <p11-kit/pkcs11.h>
#include <stdio.h>
#include <string.h>

#define AT(type, value) {type, &value, sizeof value}

static CK_FUNCTION_LIST_PTR f;
static CK_SESSION_HANDLE session;

static int may(CK_OBJECT_HANDLE key, CK_ATTRIBUTE_TYPE type) {
    CK_BBOOL value = 9;
    CK_ATTRIBUTE attribute = AT(type, value);
    f->C_GetAttributeValue(session, key, &attribute, 1);
    return value;
}

int main(int count, char **words) {
    void *library = dlopen(words[1], RTLD_NOW);
    CK_RV (*list)(CK_FUNCTION_LIST_PTR_PTR) = dlsym(library, "C_GetFunctionList");
    list(&f);
    struct {
        void *mutexes[4];
        CK_FLAGS flags;
        const char *parameters;
        void *reserved;
    } start = {{0}, CKF_OS_LOCKING_OK, "configdir='sql:token' certPrefix='' keyPrefix='' secmod='' flags=", 0};
    f->C_Initialize(&start);
    CK_SLOT_ID slots[8];
    CK_ULONG slot_count = 8;
    f->C_GetSlotList(1, slots, &slot_count);
    f->C_OpenSession(slots[slot_count - 1], CKF_SERIAL_SESSION | CKF_RW_SESSION, 0, 0, &session);
    f->C_Login(session, CKU_USER, (CK_UTF8CHAR_PTR) "test-pin", 8);
    CK_INFO info;
    f->C_GetInfo(&info);
    printf("%.32s %d.%d\n", info.libraryDescription, info.libraryVersion.major, info.libraryVersion.minor);

    CK_BBOOL yes = 1, no = 0;
    CK_OBJECT_CLASS secret = CKO_SECRET_KEY, private = CKO_PRIVATE_KEY;
    CK_KEY_TYPE aes = CKK_AES, rsa = CKK_RSA;
    CK_BYTE value[32], wrapped[4096], vector[16] = {0};
    for (int i = 0; i < 32; i++) sscanf(words[2] + 2 * i, "%2hhx", &value[i]);
    FILE *file = fopen("wrapped", "rb");
    CK_ULONG length = fread(wrapped, 1, sizeof wrapped, file);
    CK_OBJECT_HANDLE wrapping, key, copy;
    CK_ATTRIBUTE wrapper[] = {AT(CKA_CLASS, secret), AT(CKA_KEY_TYPE, aes), AT(CKA_VALUE, value), AT(CKA_UNWRAP, yes)};
    if (f->C_CreateObject(session, wrapper, 4, &wrapping)) return 2;
    CK_ATTRIBUTE template[] = {AT(CKA_CLASS, private), AT(CKA_KEY_TYPE, rsa), AT(CKA_SENSITIVE, yes), AT(CKA_SIGN, yes),
                               AT(CKA_DECRYPT, no), AT(CKA_UNWRAP, no)};
    CK_MECHANISM mechanism = {CKM_AES_CBC_PAD, vector, sizeof vector};
    if (f->C_UnwrapKey(session, &mechanism, wrapping, wrapped, length, template, 6, &key)) return 2;
    CK_ATTRIBUTE narrow[] = {AT(CKA_DECRYPT, no), AT(CKA_UNWRAP, no)};
    if (f->C_CopyObject(session, key, narrow, 2, &copy)) return 2;
    puts("expected: CKA_DECRYPT 0, CKA_UNWRAP 0, as the template says");
    printf("seen:     CKA_DECRYPT %d, CKA_UNWRAP %d of the unwrapped key\n", may(key, CKA_DECRYPT), may(key, CKA_UNWRAP));
    printf("          CKA_DECRYPT %d, CKA_UNWRAP %d of a copy with the same two attributes\n", may(copy, CKA_DECRYPT),
           may(copy, CKA_UNWRAP));
    return !(may(key, CKA_DECRYPT) && may(key, CKA_UNWRAP) && !may(copy, CKA_DECRYPT) && !may(copy, CKA_UNWRAP));
}
C
cc -I/usr/include/p11-kit-1 probe.c -o probe -ldl
./probe "$module" $key
