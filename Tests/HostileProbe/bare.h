#pragma once
#include <p11-kit/pkcs11.h>

// Prints what each function of the token answered.
void bare(CK_FUNCTION_LIST_PTR functions, CK_SESSION_HANDLE session);
