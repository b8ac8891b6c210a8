#include "CPCSC.h"

#include <dlfcn.h>
#include <pthread.h>
#include <string.h>

// The part of winscard.h that is used, as pcsc-lite defines it on Linux.
typedef struct {
    unsigned long protocol;
    unsigned long length;
} io_request;

typedef struct {
    const char *reader;
    void *user;
    unsigned long current;
    unsigned long event;
    unsigned long atr_count;
    unsigned char atr[33];
} reader_state;

enum { scope_system = 2, share_exclusive = 1, protocol_t0 = 1, protocol_t1 = 2, reset_card = 1 };
enum { state_unaware = 0, state_empty = 0x10, state_present = 0x20 };
enum { no_library = -1, timeout = 0x8010000A };

static long (*establish)(unsigned long, const void *, const void *, long *);
static long (*list_readers)(long, const char *, char *, unsigned long *);
static long (*connect_card)(long, const char *, unsigned long, unsigned long, long *, unsigned long *);
static long (*transmit)(
    long, const io_request *, const unsigned char *, unsigned long, io_request *, unsigned char *,
    unsigned long *);
static long (*disconnect)(long, unsigned long);
static long (*status_change)(long, unsigned long, reader_state *, unsigned long);

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static long context;
static int has_context;

static int load(void) {
    if (status_change) return 1;
    void *library = dlopen("libpcsclite.so.1", RTLD_NOW | RTLD_LOCAL);
    if (!library) return 0;
    establish = dlsym(library, "SCardEstablishContext");
    list_readers = dlsym(library, "SCardListReaders");
    connect_card = dlsym(library, "SCardConnect");
    transmit = dlsym(library, "SCardTransmit");
    disconnect = dlsym(library, "SCardDisconnect");
    status_change = dlsym(library, "SCardGetStatusChange");
    return establish && list_readers && connect_card && transmit && disconnect && status_change;
}

long cpcsc_begin(void) {
    long code = 0;
    pthread_mutex_lock(&lock);
    if (!has_context) {
        code = load() ? establish(scope_system, 0, 0, &context) : no_library;
        has_context = code == 0;
    }
    pthread_mutex_unlock(&lock);
    return code;
}

long cpcsc_readers(char *names, size_t *count) {
    unsigned long length = *count;
    long code = list_readers(context, 0, names, &length);
    *count = length;
    return code;
}

long cpcsc_connect(const char *reader, long *card, unsigned long *protocol) {
    return connect_card(context, reader, share_exclusive, protocol_t0 | protocol_t1, card, protocol);
}

long cpcsc_transmit(
    long card, unsigned long protocol, const unsigned char *command, size_t command_count,
    unsigned char *answer, size_t *answer_count) {
    io_request request = {protocol, sizeof request};
    unsigned long length = *answer_count;
    long code = transmit(card, &request, command, command_count, 0, answer, &length);
    *answer_count = length;
    return code;
}

long cpcsc_disconnect(long card) { return disconnect(card, reset_card); }

long cpcsc_wait(const char *reader, int present, unsigned long milliseconds) {
    reader_state state;
    memset(&state, 0, sizeof state);
    state.reader = reader;
    state.current = state_unaware;
    unsigned long wanted = present ? state_present : state_empty;
    for (;;) {
        long code = status_change(context, milliseconds, &state, 1);
        if (code) return code;
        if (state.event & wanted) return 0;
        state.current = state.event;
    }
}
