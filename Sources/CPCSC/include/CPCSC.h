// PC/SC by dlopen: nothing is linked, and nothing is needed where there is no reader. One context for the process.
#ifndef CPCSC_H
#define CPCSC_H

#include <stddef.h>

// 0, or -1 where there is no libpcsclite, or the code of SCardEstablishContext. May be called any number of times.
long cpcsc_begin(void);

// Names of the readers, each ended by a zero byte, the list by one more.
long cpcsc_readers(char *names, size_t *count);

// Opens the card in a reader for this program alone, T=0 or T=1 as the card wants.
long cpcsc_connect(const char *reader, long *card, unsigned long *protocol);

long cpcsc_transmit(
    long card, unsigned long protocol, const unsigned char *command, size_t command_count,
    unsigned char *answer, size_t *answer_count);

// Ends the connection; the card is reset.
long cpcsc_disconnect(long card);

// Waits until a card is in the reader (present 1) or is gone (0), at most so many milliseconds.
long cpcsc_wait(const char *reader, int present, unsigned long milliseconds);

#endif
