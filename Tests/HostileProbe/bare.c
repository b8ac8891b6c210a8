// What a token's single functions do, each called by itself on keys made for it: a line `NAME CODE` each, CODE 0x0 where it
// did what it is for. What the product says of a token has to follow from these.
#include <stdio.h>
#include <string.h>
#include "bare.h"

static CK_BBOOL yes = CK_TRUE, no = CK_FALSE;
static CK_FUNCTION_LIST_PTR f;
static CK_SESSION_HANDLE s;
static CK_OBJECT_CLASS secret = CKO_SECRET_KEY;
static CK_KEY_TYPE des2 = CKK_DES2, generic = CKK_GENERIC_SECRET, aes = CKK_AES;

static void tell(const char *name, CK_RV code) { printf("%s 0x%lx\n", name, code); }

// A session key of a type, sensitive and private, that may do everything but leave.
static CK_RV make(CK_MECHANISM_TYPE type, CK_ULONG length, CK_OBJECT_HANDLE *key) {
    CK_MECHANISM m = {type, NULL, 0};
    CK_ATTRIBUTE t[] = {{CKA_TOKEN, &no, 1}, {CKA_SENSITIVE, &yes, 1}, {CKA_PRIVATE, &yes, 1}, {CKA_DERIVE, &yes, 1},
        {CKA_SIGN, &yes, 1}, {CKA_ENCRYPT, &yes, 1}, {CKA_WRAP, &yes, 1}, {CKA_UNWRAP, &yes, 1}, {CKA_VALUE_LEN, &length, sizeof length}};
    return f->C_GenerateKey(s, &m, t, length ? 9 : 8, key);
}

// Attributes have to be those asked for.
static CK_RV made_as_asked(void) {
    CK_MECHANISM m = {CKM_DES2_KEY_GEN, NULL, 0}; CK_OBJECT_HANDLE key;
    CK_ATTRIBUTE t[] = {{CKA_TOKEN, &no, 1}, {CKA_SENSITIVE, &yes, 1}, {CKA_PRIVATE, &yes, 1}, {CKA_DERIVE, &yes, 1},
        {CKA_EXTRACTABLE, &no, 1}, {CKA_MODIFIABLE, &no, 1}, {CKA_ENCRYPT, &no, 1}, {CKA_DECRYPT, &no, 1}, {CKA_SIGN, &no, 1},
        {CKA_VERIFY, &no, 1}, {CKA_WRAP, &no, 1}, {CKA_UNWRAP, &no, 1}};
    CK_RV code = f->C_GenerateKey(s, &m, t, sizeof t / sizeof *t, &key);
    if (code != CKR_OK) return code;
    for (size_t i = 1; i < sizeof t / sizeof *t; i++) {
        CK_BBOOL found = 2; CK_ATTRIBUTE one = {t[i].type, &found, 1};
        code = f->C_GetAttributeValue(s, key, &one, 1);
        if (code != CKR_OK || found != *(CK_BBOOL *)t[i].pValue) return code ? code : CKR_TEMPLATE_INCONSISTENT;
    }
    return f->C_DestroyObject(s, key);
}

static CK_RV create(const void *value, CK_ULONG length, CK_OBJECT_HANDLE *key) {
    CK_ATTRIBUTE t[] = {{CKA_CLASS, &secret, sizeof secret}, {CKA_KEY_TYPE, &generic, sizeof generic}, {CKA_TOKEN, &no, 1},
        {CKA_SENSITIVE, &yes, 1}, {CKA_PRIVATE, &yes, 1}, {CKA_EXTRACTABLE, &yes, 1}, {CKA_DERIVE, &yes, 1},
        {CKA_VALUE, (void *)value, length}};
    return f->C_CreateObject(s, t, 8, key);
}

// A generic secret or key out of another one.
static CK_RV derive(CK_OBJECT_HANDLE base, CK_MECHANISM_TYPE type, void *parameter, CK_ULONG size, CK_KEY_TYPE *made, CK_ULONG length) {
    CK_MECHANISM m = {type, parameter, size}; CK_OBJECT_HANDLE key;
    CK_ATTRIBUTE t[] = {{CKA_CLASS, &secret, sizeof secret}, {CKA_KEY_TYPE, made, sizeof *made}, {CKA_TOKEN, &no, 1},
        {CKA_SENSITIVE, &yes, 1}, {CKA_PRIVATE, &yes, 1}, {CKA_VALUE_LEN, &length, sizeof length}};
    CK_RV code = f->C_DeriveKey(s, &m, base, t, length ? 6 : 5, &key);
    return code == CKR_OK ? f->C_DestroyObject(s, key) : code;
}

static CK_RV sign(CK_OBJECT_HANDLE key, CK_MECHANISM_TYPE type, CK_BYTE *data, CK_ULONG length) {
    CK_MECHANISM m = {type, NULL, 0}; CK_BYTE out[512]; CK_ULONG size = sizeof out;
    CK_RV code = f->C_SignInit(s, &m, key);
    return code == CKR_OK ? f->C_Sign(s, data, length, out, &size) : code;
}

static CK_RV rsa(void) {
    CK_MECHANISM m = {CKM_RSA_PKCS_KEY_PAIR_GEN, NULL, 0}; CK_ULONG bits = 1152; CK_OBJECT_HANDLE open, closed;
    CK_BYTE exponent[] = {1, 0, 1}, block[144] = {0x6A};
    CK_ATTRIBUTE o[] = {{CKA_TOKEN, &no, 1}, {CKA_MODULUS_BITS, &bits, sizeof bits}, {CKA_PUBLIC_EXPONENT, exponent, 3}};
    CK_ATTRIBUTE c[] = {{CKA_TOKEN, &no, 1}, {CKA_SENSITIVE, &yes, 1}, {CKA_PRIVATE, &yes, 1}, {CKA_SIGN, &yes, 1}};
    CK_RV code = f->C_GenerateKeyPair(s, &m, o, 3, c, 4, &open, &closed);
    return code == CKR_OK ? sign(closed, CKM_RSA_X_509, block, sizeof block) : code;
}

void bare(CK_FUNCTION_LIST_PTR functions, CK_SESSION_HANDLE session) {
    CK_OBJECT_HANDLE d = 0, a = 0, g = 0; CK_BYTE bytes[16] = {1, 2, 3, 4, 5, 6, 7, 8}; CK_ULONG place = 8;
    f = functions; s = session;
    tell("make", made_as_asked());
    CK_RV has_des = make(CKM_DES2_KEY_GEN, 0, &d), has_aes = make(CKM_AES_KEY_GEN, 16, &a), has = create(bytes, 16, &g);
    tell("create", has);
    CK_KEY_DERIVATION_STRING_DATA text = {bytes, 16};
    tell("derive", has_des ? has_des : derive(d, CKM_DES3_ECB_ENCRYPT_DATA, &text, sizeof text, &des2, 0));
    tell("aes-derive", has_aes ? has_aes : derive(a, CKM_AES_ECB_ENCRYPT_DATA, &text, sizeof text, &aes, 16));
    tell("cmac", has_aes ? has_aes : sign(a, CKM_AES_CMAC, bytes, 16));
    CK_MECHANISM ecb = {CKM_DES3_ECB, NULL, 0}; CK_OBJECT_HANDLE pin; CK_ULONG eight = 8;
    CK_ATTRIBUTE t[] = {{CKA_CLASS, &secret, sizeof secret}, {CKA_KEY_TYPE, &generic, sizeof generic}, {CKA_TOKEN, &no, 1},
        {CKA_SENSITIVE, &yes, 1}, {CKA_PRIVATE, &yes, 1}, {CKA_EXTRACTABLE, &yes, 1}, {CKA_VALUE_LEN, &eight, sizeof eight}};
    CK_RV code = has_des ? has_des : f->C_UnwrapKey(s, &ecb, d, bytes, 8, t, 6, &pin);
    CK_ULONG size = 16; CK_BYTE out[16];
    tell("translate", code ? code : f->C_WrapKey(s, &ecb, d, pin, out, &size));
    tell("xor", has ? has : derive(g, CKM_XOR_BASE_AND_DATA, &text, sizeof text, &generic, 0));
    tell("extract", has ? has : derive(g, CKM_EXTRACT_KEY_FROM_KEY, &place, sizeof place, &generic, 3));
    text.ulLen = 2;
    tell("join", has ? has : derive(g, CKM_CONCATENATE_BASE_AND_DATA, &text, sizeof text, &generic, 0));
    CK_OBJECT_HANDLE h; code = make(CKM_GENERIC_SECRET_KEY_GEN, 32, &h);
    tell("hmac", code ? code : sign(h, CKM_SHA256_HMAC, bytes, 16));
    tell("rsa", rsa());
}
