#include "faulty-token.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

static pthread_once_t once = PTHREAD_ONCE_INIT;
static CK_FUNCTION_LIST_PTR behind;
static CK_FUNCTION_LIST front;
static CK_RV loaded = CKR_FUNCTION_FAILED;
static long delay_microseconds;
static sem_t lines;
static int lines_bounded;
static const volatile char *control;
// The only slot that faults come to, or all.
static CK_SLOT_ID faulty_slot = CK_UNAVAILABLE_INFORMATION;
// Sessions with it, by their handles' last bits; a token in this process numbers them one after the other.
static volatile unsigned char faulty_sessions[1 << 20];

static size_t place_of(CK_SESSION_HANDLE session) { return (session ^ session >> 14) % sizeof faulty_sessions; }

static void wait_microseconds(long count) {
  struct timespec pause = {count / 1000000, (count % 1000000) * 1000};
  while (nanosleep(&pause, &pause) != 0) {
  }
}

// What the wire and the token do before the call is carried out.
static CK_RV reach(int is_faulty) {
  if (!is_faulty) return CKR_OK;
  while (control && *control == 's') wait_microseconds(1000);
  if (control && *control == 't') __builtin_trap();
  if (control && *control == 'r') return CKR_DEVICE_REMOVED;
  if (control && *control == 'f') return CKR_FUNCTION_FAILED;
  if (delay_microseconds == 0) return CKR_OK;
  if (lines_bounded) sem_wait(&lines);
  wait_microseconds(delay_microseconds);
  if (lines_bounded) sem_post(&lines);
  return CKR_OK;
}

static int is_faulty(CK_SESSION_HANDLE session) {
  return faulty_slot == CK_UNAVAILABLE_INFORMATION || faulty_sessions[place_of(session)];
}

static CK_RV front_C_OpenSession(CK_SLOT_ID slot, CK_FLAGS flags, void *data, CK_NOTIFY notify,
                                 CK_SESSION_HANDLE *session) {
  int is_its = faulty_slot == CK_UNAVAILABLE_INFORMATION || slot == faulty_slot;
  CK_RV code = reach(is_its);
  if (code == CKR_OK) code = behind->C_OpenSession(slot, flags, data, notify, session);
  if (code == CKR_OK) faulty_sessions[place_of(*session)] = (unsigned char)is_its;
  return code;
}

// clang-format off
#define FRONT(name, parameters, arguments)          \
  static CK_RV front_##name parameters {            \
    CK_RV code = reach(is_faulty(session));         \
    return code == CKR_OK ? behind->name arguments : code; \
  }
// clang-format on

FRONT(C_CopyObject,
      (CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object, CK_ATTRIBUTE *attributes, CK_ULONG count,
       CK_OBJECT_HANDLE *copy),
      (session, object, attributes, count, copy))
FRONT(C_DestroyObject, (CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object), (session, object))
FRONT(C_FindObjectsInit, (CK_SESSION_HANDLE session, CK_ATTRIBUTE *attributes, CK_ULONG count),
      (session, attributes, count))
FRONT(C_EncryptInit, (CK_SESSION_HANDLE session, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key),
      (session, mechanism, key))
FRONT(C_Encrypt,
      (CK_SESSION_HANDLE session, unsigned char *data, CK_ULONG count, unsigned char *output,
       CK_ULONG *output_count),
      (session, data, count, output, output_count))
FRONT(C_SignInit, (CK_SESSION_HANDLE session, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key),
      (session, mechanism, key))
FRONT(C_Sign,
      (CK_SESSION_HANDLE session, unsigned char *data, CK_ULONG count, unsigned char *signature,
       CK_ULONG *signature_count),
      (session, data, count, signature, signature_count))
FRONT(C_DigestInit, (CK_SESSION_HANDLE session, CK_MECHANISM *mechanism), (session, mechanism))
FRONT(C_Digest,
      (CK_SESSION_HANDLE session, unsigned char *data, CK_ULONG count, unsigned char *digest,
       CK_ULONG *digest_count),
      (session, data, count, digest, digest_count))
FRONT(C_WrapKey,
      (CK_SESSION_HANDLE session, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE wrapping, CK_OBJECT_HANDLE key,
       unsigned char *wrapped, CK_ULONG *wrapped_count),
      (session, mechanism, wrapping, key, wrapped, wrapped_count))
FRONT(C_UnwrapKey,
      (CK_SESSION_HANDLE session, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE unwrapping, unsigned char *wrapped,
       CK_ULONG wrapped_count, CK_ATTRIBUTE *attributes, CK_ULONG count, CK_OBJECT_HANDLE *key),
      (session, mechanism, unwrapping, wrapped, wrapped_count, attributes, count, key))
FRONT(C_DeriveKey,
      (CK_SESSION_HANDLE session, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE base, CK_ATTRIBUTE *attributes,
       CK_ULONG count, CK_OBJECT_HANDLE *key),
      (session, mechanism, base, attributes, count, key))

static const volatile char *map_control(const char *path) {
  int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
  if (file < 0) return NULL;
  void *place = mmap(NULL, 1, PROT_READ, MAP_SHARED, file, 0);
  close(file);
  return place == MAP_FAILED ? NULL : place;
}

static void load(void) {
  const char *path = getenv("FAULTY_TOKEN_MODULE");
  const char *microseconds = getenv("FAULTY_TOKEN_MICROSECONDS");
  const char *bound = getenv("FAULTY_TOKEN_LINES");
  const char *control_path = getenv("FAULTY_TOKEN_CONTROL");
  const char *slot = getenv("FAULTY_TOKEN_SLOT");
  void *library = path ? dlopen(path, RTLD_NOW | RTLD_LOCAL) : NULL;
  if (!library) {
    fprintf(stderr, "faulty token: FAULTY_TOKEN_MODULE: %s\n", path ? dlerror() : "not set");
    return;
  }
  const char *entry = getenv("FAULTY_TOKEN_ENTRY");
  CK_C_GetFunctionList get =
      (CK_C_GetFunctionList)dlsym(library, entry && *entry ? entry : "C_GetFunctionList");
  loaded = get ? get(&behind) : CKR_FUNCTION_FAILED;
  if (loaded != CKR_OK) return;
  delay_microseconds = microseconds ? strtol(microseconds, NULL, 10) : 0;
  lines_bounded = bound && strtol(bound, NULL, 10) > 0 && sem_init(&lines, 0, (unsigned)strtol(bound, NULL, 10)) == 0;
  if (slot && *slot) faulty_slot = strtoul(slot, NULL, 0);
  control = map_control(control_path);
  if (control_path && !control) {
    fprintf(stderr, "faulty token: FAULTY_TOKEN_CONTROL cannot be read\n");
    loaded = CKR_FUNCTION_FAILED;
    return;
  }
  front = *behind;
  front.C_OpenSession = front_C_OpenSession;
  front.C_CopyObject = front_C_CopyObject;
  front.C_DestroyObject = front_C_DestroyObject;
  front.C_FindObjectsInit = front_C_FindObjectsInit;
  front.C_EncryptInit = front_C_EncryptInit;
  front.C_Encrypt = front_C_Encrypt;
  front.C_SignInit = front_C_SignInit;
  front.C_Sign = front_C_Sign;
  front.C_DigestInit = front_C_DigestInit;
  front.C_Digest = front_C_Digest;
  front.C_WrapKey = front_C_WrapKey;
  front.C_UnwrapKey = front_C_UnwrapKey;
  front.C_DeriveKey = front_C_DeriveKey;
}

CK_RV C_GetFunctionList(CK_FUNCTION_LIST_PTR_PTR list) {
  pthread_once(&once, load);
  if (loaded == CKR_OK) *list = &front;
  return loaded;
}
