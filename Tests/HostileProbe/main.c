// Somebody with the token's PIN and a C compiler: works on a token's keys behind the product's back. For tests only.
//
//   hostile-probe MODULE PIN INIT COMMAND ARGUMENT...      INIT: what C_Initialize gets, or -
//
//   create LABEL ID HEX USAGE[,USAGE...]   a key of a known value         (usages: derive encrypt decrypt sign verify
//   generate LABEL ID USAGE[,USAGE...]     a key that the token makes      wrap unwrap extractable modifiable visible)
//   aes LABEL ID HEX USAGE...              the same for AES
//   generic LABEL ID HEX USAGE...          a generic secret; des one of single DES
//   ec LABEL                               a key pair on P-256
//   copy LABEL NEW USAGE[,USAGE...]        a token copy with other attributes
//   rename LABEL NEW                       CKA_LABEL; a copy and the end of the first where that is refused
//   identify LABEL ID                      CKA_ID, with the label again
//   set LABEL USAGE                        an attribute set to true
//   destroy LABEL [N]                      the N-th object with this label, 0 by default
//   rsa LABEL                              a key pair of 2,048 bits
//   head LABEL HEX                         CKA_ID to these bytes and the label
//   headof LABEL                           CKA_ID, printed in hex
//   twin LABEL HEX USAGE...                another value in place of a key, under its label and its CKA_ID
//   reid LABEL ID USAGE...                 the key copied under its own label with another CKA_ID, the first one ended
//   public LABEL HEX                       the public half anew, with its modulus and this exponent
//   private LABEL                          a private half that claims the modulus of the one it replaces
//   certificate LABEL HEX                  an X.509 certificate in DER; data LABEL HEX an object of data
//   seal LABEL HEX                         HMAC-SHA-256 under a key of the token, printed in hex
//   bare                                   what each function of the token answers
//   export LABEL                           whether the key leaves under a wrapping key of the prober
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <p11-kit/pkcs11.h>
#include "bare.h"

static CK_FUNCTION_LIST_PTR f;
static CK_SESSION_HANDLE s;
static CK_BBOOL yes = CK_TRUE, no = CK_FALSE;
static const char *names[] = {"derive", "encrypt", "decrypt", "sign", "verify", "wrap", "unwrap", "extractable", "modifiable"};
static const CK_ATTRIBUTE_TYPE types[] = {CKA_DERIVE, CKA_ENCRYPT, CKA_DECRYPT, CKA_SIGN, CKA_VERIFY, CKA_WRAP, CKA_UNWRAP, CKA_EXTRACTABLE, CKA_MODIFIABLE};

static CK_RV must(const char *what, CK_RV code) {
    if (code != CKR_OK) { fprintf(stderr, "%s: 0x%lx\n", what, code); exit(1); }
    return code;
}

static size_t unhex(const char *text, unsigned char *bytes) {
    size_t count = strlen(text) / 2;
    for (size_t i = 0; i < count; i++) { unsigned v; sscanf(text + 2 * i, "%2x", &v); bytes[i] = (unsigned char)v; }
    return count;
}

static CK_OBJECT_HANDLE find(const char *label, int number) {
    CK_OBJECT_HANDLE found[64]; CK_ULONG count = 0;
    CK_ATTRIBUTE t[] = {{CKA_TOKEN, &yes, 1}, {CKA_LABEL, (void *)label, strlen(label)}};
    must("C_FindObjectsInit", f->C_FindObjectsInit(s, t, 2));
    must("C_FindObjects", f->C_FindObjects(s, found, 64, &count));
    f->C_FindObjectsFinal(s);
    if ((CK_ULONG)number >= count) { fprintf(stderr, "%s: not there\n", label); exit(1); }
    return found[number];
}

static CK_ULONG usages(const char *list, CK_ATTRIBUTE *t, CK_ULONG n) {
    char padded[256]; snprintf(padded, sizeof padded, ",%s,", list);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char name[32]; snprintf(name, sizeof name, ",%s,", names[i]);
        t[n].type = types[i]; t[n].pValue = strstr(padded, name) ? &yes : &no; t[n].ulValueLen = 1; n++;
    }
    CK_ATTRIBUTE sensitive = {CKA_SENSITIVE, strstr(padded, ",visible,") ? &no : &yes, 1};
    t[n++] = sensitive;
    return n;
}

static CK_ULONG template(CK_ATTRIBUTE *t, CK_KEY_TYPE *type, const char *label, const char *id, const char *list) {
    static CK_OBJECT_CLASS secret = CKO_SECRET_KEY;
    CK_ATTRIBUTE head[] = {{CKA_CLASS, &secret, sizeof secret}, {CKA_KEY_TYPE, type, sizeof *type}, {CKA_TOKEN, &yes, 1},
        {CKA_PRIVATE, &yes, 1}, {CKA_LABEL, (void *)label, strlen(label)}, {CKA_ID, (void *)id, strlen(id)}};
    memcpy(t, head, sizeof head);
    return usages(list, t, 6);
}

static int export(const char *label) {
    CK_MECHANISM generate = {CKM_AES_KEY_GEN, NULL, 0}; CK_ULONG length = 16, size = 256; unsigned char out[256];
    CK_ATTRIBUTE t[] = {{CKA_TOKEN, &no, 1}, {CKA_WRAP, &yes, 1}, {CKA_VALUE_LEN, &length, sizeof length}};
    CK_OBJECT_HANDLE key;
    must("C_GenerateKey", f->C_GenerateKey(s, &generate, t, 3, &key));
    CK_MECHANISM_TYPE all[] = {CKM_AES_KEY_WRAP, CKM_AES_ECB, CKM_AES_CBC_PAD};
    unsigned char vector[16] = {0};
    for (int i = 0; i < 3; i++) {
        CK_MECHANISM m = {all[i], i == 2 ? vector : NULL, i == 2 ? 16 : 0};
        size = sizeof out;
        CK_RV code = f->C_WrapKey(s, &m, key, find(label, 0), out, &size);
        printf("0x%lx: 0x%lx\n", all[i], code);
    }
    return 0;
}

static size_t get(CK_OBJECT_HANDLE key, CK_ATTRIBUTE_TYPE type, unsigned char *bytes, size_t most) {
    CK_ATTRIBUTE one = {type, bytes, most};
    must("C_GetAttributeValue", f->C_GetAttributeValue(s, key, &one, 1));
    return one.ulValueLen;
}

static CK_OBJECT_HANDLE half(const char *label, CK_OBJECT_CLASS type) {
    CK_OBJECT_HANDLE found = 0; CK_ULONG count = 0;
    CK_ATTRIBUTE t[] = {{CKA_TOKEN, &yes, 1}, {CKA_CLASS, &type, sizeof type}, {CKA_LABEL, (void *)label, strlen(label)}};
    must("C_FindObjectsInit", f->C_FindObjectsInit(s, t, 3));
    must("C_FindObjects", f->C_FindObjects(s, &found, 1, &count));
    f->C_FindObjectsFinal(s);
    if (!count) { fprintf(stderr, "%s: not there\n", label); exit(1); }
    return found;
}

static void replace(CK_OBJECT_HANDLE old, CK_ATTRIBUTE *t, CK_ULONG n) {
    CK_OBJECT_HANDLE made;
    must("C_DestroyObject", f->C_DestroyObject(s, old));
    must("C_CreateObject", f->C_CreateObject(s, t, n, &made));
}

static void twin(const char *label, unsigned char *value, size_t length, const char *usage) {
    char id[512]; CK_ATTRIBUTE t[32]; CK_OBJECT_HANDLE old = find(label, 0);
    id[get(old, CKA_ID, (unsigned char *)id, sizeof id - 1)] = 0;
    CK_KEY_TYPE type = length == 16 ? CKK_DES2 : CKK_DES3; CK_ULONG k = template(t, &type, label, id, usage);
    t[k].type = CKA_VALUE; t[k].pValue = value; t[k].ulValueLen = length;
    replace(old, t, k + 1);
}

static void replace_public(const char *label, unsigned char *exponent, size_t length) {
    CK_OBJECT_CLASS type = CKO_PUBLIC_KEY; CK_KEY_TYPE rsa = CKK_RSA; unsigned char modulus[1024], id[512];
    CK_OBJECT_HANDLE old = half(label, type); size_t m = get(old, CKA_MODULUS, modulus, sizeof modulus);
    size_t i = get(old, CKA_ID, id, sizeof id);
    CK_ATTRIBUTE t[] = {{CKA_CLASS, &type, sizeof type}, {CKA_KEY_TYPE, &rsa, sizeof rsa}, {CKA_TOKEN, &yes, 1}, {CKA_PRIVATE, &no, 1},
        {CKA_MODIFIABLE, &no, 1}, {CKA_LABEL, (void *)label, strlen(label)}, {CKA_ID, id, i}, {CKA_MODULUS, modulus, m},
        {CKA_PUBLIC_EXPONENT, exponent, length}, {CKA_VERIFY, &yes, 1}, {CKA_ENCRYPT, &no, 1}, {CKA_WRAP, &no, 1}};
    replace(old, t, sizeof t / sizeof *t);
}

static void replace_private(const char *label) {
    CK_OBJECT_CLASS type = CKO_PRIVATE_KEY; CK_KEY_TYPE rsa = CKK_RSA; CK_OBJECT_HANDLE old = half(label, type), one, other;
    static unsigned char v[9][1024]; size_t n[9]; unsigned char exponent[] = {1, 0, 1};
    n[0] = get(old, CKA_MODULUS, v[0], 1024); n[1] = get(old, CKA_ID, v[1], 1024);
    CK_MECHANISM m = {CKM_RSA_PKCS_KEY_PAIR_GEN, NULL, 0}; CK_ULONG bits = n[0] * 8;
    CK_ATTRIBUTE open[] = {{CKA_TOKEN, &no, 1}, {CKA_MODULUS_BITS, &bits, sizeof bits}, {CKA_PUBLIC_EXPONENT, exponent, 3}};
    CK_ATTRIBUTE closed[] = {{CKA_TOKEN, &no, 1}, {CKA_SENSITIVE, &no, 1}, {CKA_EXTRACTABLE, &yes, 1}, {CKA_SIGN, &yes, 1}};
    must("C_GenerateKeyPair", f->C_GenerateKeyPair(s, &m, open, 3, closed, 4, &one, &other));
    CK_ATTRIBUTE_TYPE parts[] = {CKA_PRIVATE_EXPONENT, CKA_PRIME_1, CKA_PRIME_2, CKA_EXPONENT_1, CKA_EXPONENT_2, CKA_COEFFICIENT};
    CK_ATTRIBUTE t[] = {{CKA_CLASS, &type, sizeof type}, {CKA_KEY_TYPE, &rsa, sizeof rsa}, {CKA_TOKEN, &yes, 1}, {CKA_PRIVATE, &yes, 1},
        {CKA_SENSITIVE, &yes, 1}, {CKA_EXTRACTABLE, &no, 1}, {CKA_MODIFIABLE, &no, 1}, {CKA_LABEL, (void *)label, strlen(label)},
        {CKA_ID, v[1], n[1]}, {CKA_MODULUS, v[0], n[0]}, {CKA_SIGN, &yes, 1}, {CKA_DECRYPT, &no, 1}, {CKA_UNWRAP, &no, 1},
        {CKA_SIGN_RECOVER, &no, 1}, {CKA_PUBLIC_EXPONENT, v[8], get(old, CKA_PUBLIC_EXPONENT, v[8], 1024)},
        {0}, {0}, {0}, {0}, {0}, {0}};
    for (int i = 0; i < 6; i++) {
        n[2 + i] = get(other, parts[i], v[2 + i], 1024);
        t[15 + i].type = parts[i]; t[15 + i].pValue = v[2 + i]; t[15 + i].ulValueLen = n[2 + i];
    }
    replace(old, t, sizeof t / sizeof *t);
}

// Another private half, made by the token itself with name, CKA_ID and attributes of the first one; the public half stays.
static void swap_private(const char *label, CK_MECHANISM_TYPE kind) {
    unsigned char id[512], exponent[] = {1, 0, 1}, curve[] = {0x06, 0x08, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x03, 0x01, 0x07};
    CK_OBJECT_HANDLE old = half(label, CKO_PRIVATE_KEY), one, other; size_t i = get(old, CKA_ID, id, sizeof id);
    CK_ULONG bits = 1408; CK_MECHANISM m = {kind, NULL, 0}; int ec = kind == CKM_EC_KEY_PAIR_GEN;
    CK_ATTRIBUTE open[] = {{CKA_TOKEN, &no, 1}, {CKA_VERIFY, &yes, 1}, {CKA_PUBLIC_EXPONENT, exponent, 3},
        {CKA_MODULUS_BITS, &bits, sizeof bits}};
    CK_ATTRIBUTE point[] = {{CKA_TOKEN, &no, 1}, {CKA_VERIFY, &yes, 1}, {CKA_EC_PARAMS, curve, sizeof curve}};
    CK_ATTRIBUTE closed[] = {{CKA_TOKEN, &yes, 1}, {CKA_LABEL, (void *)label, strlen(label)}, {CKA_ID, id, i}, {CKA_PRIVATE, &yes, 1},
        {CKA_SENSITIVE, &yes, 1}, {CKA_EXTRACTABLE, &no, 1}, {CKA_MODIFIABLE, &no, 1}, {CKA_SIGN, &yes, 1}, {CKA_DECRYPT, &no, 1},
        {CKA_UNWRAP, &no, 1}, {CKA_DERIVE, &no, 1}};
    must("C_DestroyObject", f->C_DestroyObject(s, old));
    must("C_GenerateKeyPair", f->C_GenerateKeyPair(s, &m, ec ? point : open, ec ? 3 : 4, closed, ec ? 11 : 10, &one, &other));
}

static void plant(const char *label, CK_OBJECT_CLASS type, unsigned char *value, size_t length) {
    CK_CERTIFICATE_TYPE x509 = CKC_X_509; CK_OBJECT_HANDLE made; CK_ULONG n = 4;
    CK_ATTRIBUTE t[8] = {{CKA_CLASS, &type, sizeof type}, {CKA_TOKEN, &yes, 1}, {CKA_LABEL, (void *)label, strlen(label)},
        {CKA_VALUE, value, length}};
    if (type == CKO_CERTIFICATE) {
        // Subject and issuer are both CN=planted.
        static unsigned char name[] = {0x30, 0x12, 0x31, 0x10, 0x30, 0x0e, 0x06, 0x03, 0x55, 0x04, 0x03, 0x0c, 0x07, 'p', 'l', 'a', 'n', 't', 'e', 'd'};
        static unsigned char serial[] = {0x02, 0x01, 0x01};
        CK_ATTRIBUTE more[] = {{CKA_CERTIFICATE_TYPE, &x509, sizeof x509}, {CKA_SUBJECT, name, sizeof name},
            {CKA_ISSUER, name, sizeof name}, {CKA_SERIAL_NUMBER, serial, sizeof serial}};
        memcpy(t + 4, more, sizeof more); n = 8;
    }
    must("C_CreateObject", f->C_CreateObject(s, t, n, &made));
}

int main(int argc, char **argv) {
    if (argc < 5) return 2;
    void *library = dlopen(argv[1], RTLD_NOW);
    if (!library) { fprintf(stderr, "%s\n", dlerror()); return 1; }
    CK_C_GetFunctionList list = (CK_C_GetFunctionList)dlsym(library, "C_GetFunctionList");
    must("C_GetFunctionList", list(&f));
    CK_C_INITIALIZE_ARGS arguments; memset(&arguments, 0, sizeof arguments);
    arguments.flags = CKF_OS_LOCKING_OK;
    if (strcmp(argv[3], "-")) arguments.pReserved = argv[3];
    must("C_Initialize", f->C_Initialize(&arguments));
    CK_SLOT_ID slots[32]; CK_ULONG count = 32;
    must("C_GetSlotList", f->C_GetSlotList(CK_TRUE, slots, &count));
    CK_RV login = CKR_GENERAL_ERROR;
    for (CK_ULONG i = 0; i < count && login != CKR_OK; i++) {
        CK_TOKEN_INFO info; must("C_GetTokenInfo", f->C_GetTokenInfo(slots[i], &info));
        if (!(info.flags & CKF_TOKEN_INITIALIZED) || !(info.flags & CKF_LOGIN_REQUIRED)) continue;
        must("C_OpenSession", f->C_OpenSession(slots[i], CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL, &s));
        login = f->C_Login(s, CKU_USER, (unsigned char *)argv[2], strlen(argv[2]));
    }
    must("C_Login", login);
    char **a = argv + 5; int n = argc - 5; const char *command = argv[4];
    CK_ATTRIBUTE t[32]; CK_OBJECT_HANDLE made = 0; unsigned char value[512];
    if ((!strcmp(command, "create") || !strcmp(command, "aes") || !strcmp(command, "generic") || !strcmp(command, "des")) &&
        n == 4) {
        size_t length = unhex(a[2], value);
        CK_KEY_TYPE type = *command == 'a' ? CKK_AES : *command == 'g' ? CKK_GENERIC_SECRET : *command == 'd' ? CKK_DES
                           : length == 16 ? CKK_DES2 : CKK_DES3;
        CK_ULONG k = template(t, &type, a[0], a[1], a[3]);
        t[k].type = CKA_VALUE; t[k].pValue = value; t[k].ulValueLen = length;
        must("C_CreateObject", f->C_CreateObject(s, t, k + 1, &made));
    } else if (!strcmp(command, "generate") && n == 3) {
        CK_KEY_TYPE type = CKK_DES2; CK_MECHANISM m = {CKM_DES2_KEY_GEN, NULL, 0};
        must("C_GenerateKey", f->C_GenerateKey(s, &m, t, template(t, &type, a[0], a[1], a[2]), &made));
    } else if (!strcmp(command, "copy") && n == 3) {
        char id[256]; snprintf(id, sizeof id, "copy/%s", a[1]);
        CK_ATTRIBUTE head[] = {{CKA_TOKEN, &yes, 1}, {CKA_LABEL, a[1], strlen(a[1])}, {CKA_ID, id, strlen(id)}};
        memcpy(t, head, sizeof head);
        must("C_CopyObject", f->C_CopyObject(s, find(a[0], 0), t, usages(a[2], t, 3), &made));
    } else if (!strcmp(command, "rename") && n == 2) {
        CK_OBJECT_HANDLE key = find(a[0], 0);
        char id[256]; snprintf(id, sizeof id, "copy/%s", a[1]);
        CK_ATTRIBUTE label[] = {{CKA_LABEL, a[1], strlen(a[1])}, {CKA_TOKEN, &yes, 1}, {CKA_ID, id, strlen(id)}};
        if (f->C_SetAttributeValue(s, key, label, 1) != CKR_OK) {
            must("C_CopyObject", f->C_CopyObject(s, key, label, 3, &made));
            must("C_DestroyObject", f->C_DestroyObject(s, key));
        }
    } else if (!strcmp(command, "identify") && n == 2) {
        CK_ATTRIBUTE id = {CKA_ID, a[1], strlen(a[1])};
        must("C_SetAttributeValue", f->C_SetAttributeValue(s, find(a[0], 0), &id, 1));
    } else if (!strcmp(command, "set") && n == 2) {
        for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
            CK_ATTRIBUTE one = {types[i], &yes, 1};
            if (!strcmp(names[i], a[1])) must("C_SetAttributeValue", f->C_SetAttributeValue(s, find(a[0], 0), &one, 1));
        }
    } else if (!strcmp(command, "destroy") && n >= 1) {
        must("C_DestroyObject", f->C_DestroyObject(s, find(a[0], n > 1 ? atoi(a[1]) : 0)));
    } else if (!strcmp(command, "rsa") && n == 1) {
        CK_MECHANISM m = {CKM_RSA_PKCS_KEY_PAIR_GEN, NULL, 0}; CK_ULONG bits = 2048; CK_OBJECT_HANDLE other;
        unsigned char exponent[] = {1, 0, 1};
        CK_ATTRIBUTE open[] = {{CKA_TOKEN, &yes, 1}, {CKA_LABEL, a[0], strlen(a[0])}, {CKA_VERIFY, &yes, 1},
            {CKA_MODULUS_BITS, &bits, sizeof bits}, {CKA_PUBLIC_EXPONENT, exponent, 3}};
        CK_ATTRIBUTE closed[] = {{CKA_TOKEN, &yes, 1}, {CKA_LABEL, a[0], strlen(a[0])}, {CKA_SIGN, &yes, 1},
            {CKA_PRIVATE, &yes, 1}, {CKA_SENSITIVE, &yes, 1}, {CKA_EXTRACTABLE, &no, 1}};
        must("C_GenerateKeyPair", f->C_GenerateKeyPair(s, &m, open, 5, closed, 6, &other, &made));
    } else if (!strcmp(command, "ec") && n == 1) {
        CK_MECHANISM m = {CKM_EC_KEY_PAIR_GEN, NULL, 0}; CK_OBJECT_HANDLE other;
        unsigned char curve[] = {0x06, 0x08, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x03, 0x01, 0x07};
        CK_ATTRIBUTE open[] = {{CKA_TOKEN, &yes, 1}, {CKA_LABEL, a[0], strlen(a[0])}, {CKA_VERIFY, &yes, 1},
            {CKA_EC_PARAMS, curve, sizeof curve}};
        CK_ATTRIBUTE closed[] = {{CKA_TOKEN, &yes, 1}, {CKA_LABEL, a[0], strlen(a[0])}, {CKA_SIGN, &yes, 1},
            {CKA_PRIVATE, &yes, 1}, {CKA_SENSITIVE, &yes, 1}, {CKA_EXTRACTABLE, &no, 1}};
        must("C_GenerateKeyPair", f->C_GenerateKeyPair(s, &m, open, 4, closed, 6, &other, &made));
    } else if (!strcmp(command, "head") && n == 2) {
        size_t length = unhex(a[1], value);
        memcpy(value + length, a[0], strlen(a[0]));
        CK_ATTRIBUTE id = {CKA_ID, value, length + strlen(a[0])};
        must("C_SetAttributeValue", f->C_SetAttributeValue(s, find(a[0], 0), &id, 1));
    } else if (!strcmp(command, "headof") && n == 1) {
        CK_ATTRIBUTE id = {CKA_ID, value, sizeof value};
        must("C_GetAttributeValue", f->C_GetAttributeValue(s, find(a[0], 0), &id, 1));
        for (CK_ULONG i = 0; i + strlen(a[0]) < id.ulValueLen; i++) printf("%02x", value[i]);
        printf("\n");
    } else if (!strcmp(command, "twin") && n == 3) {
        twin(a[0], value, unhex(a[1], value), a[2]);
    } else if (!strcmp(command, "reid") && n == 3) {
        CK_OBJECT_HANDLE key = find(a[0], 0);
        CK_ATTRIBUTE head[] = {{CKA_TOKEN, &yes, 1}, {CKA_LABEL, a[0], strlen(a[0])}, {CKA_ID, a[1], strlen(a[1])}};
        memcpy(t, head, sizeof head);
        must("C_CopyObject", f->C_CopyObject(s, key, t, usages(a[2], t, 3), &made));
        must("C_DestroyObject", f->C_DestroyObject(s, key));
    } else if (!strcmp(command, "public") && n == 2) {
        replace_public(a[0], value, unhex(a[1], value));
    } else if ((!strcmp(command, "swap-rsa") || !strcmp(command, "swap-ec")) && n == 1) {
        swap_private(a[0], strcmp(command, "swap-ec") ? CKM_RSA_PKCS_KEY_PAIR_GEN : CKM_EC_KEY_PAIR_GEN);
    } else if (!strcmp(command, "destroy-public") && n == 1) {
        must("C_DestroyObject", f->C_DestroyObject(s, half(a[0], CKO_PUBLIC_KEY)));
    } else if (!strcmp(command, "private") && n == 1) {
        replace_private(a[0]);
    } else if ((!strcmp(command, "certificate") || !strcmp(command, "data")) && n == 2) {
        plant(a[0], *command == 'd' ? CKO_DATA : CKO_CERTIFICATE, value, unhex(a[1], value));
    } else if (!strcmp(command, "seal") && n == 2) {
        static unsigned char text[65536]; unsigned char mac[64]; CK_ULONG length = sizeof mac;
        CK_MECHANISM m = {CKM_SHA256_HMAC, NULL, 0};
        must("C_SignInit", f->C_SignInit(s, &m, find(a[0], 0)));
        must("C_Sign", f->C_Sign(s, text, unhex(a[1], text), mac, &length));
        for (CK_ULONG i = 0; i < length; i++) printf("%02X", mac[i]);
        printf("\n");
    } else if (!strcmp(command, "bare") && n == 0) {
        bare(f, s);
    } else if (!strcmp(command, "export") && n == 1) {
        export(a[0]);
    } else {
        fprintf(stderr, "unknown command %s\n", command);
        return 2;
    }
    f->C_Finalize(NULL);
    return 0;
}
