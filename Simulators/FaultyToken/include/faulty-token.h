#pragma once
// PKCS#11 module that stands before another one and behaves like a token at the end of a wire, or like one that
// fails. Set by the environment of the process that loads it:
//   FAULTY_TOKEN_MODULE        path of the module behind it
//   FAULTY_TOKEN_ENTRY         its entry point; C_GetFunctionList without it
//   FAULTY_TOKEN_MICROSECONDS  how long each call takes longer; 0 without it
//   FAULTY_TOKEN_LINES         calls that may be on the wire at once; unbounded without it
//   FAULTY_TOKEN_SLOT          the one slot that is so; all without it
//   FAULTY_TOKEN_CONTROL       a file whose first letter says how it behaves, read at every call:
//                              o well, s stalls, r is removed (CKR_DEVICE_REMOVED), f fails (CKR_FUNCTION_FAILED),
//                              t takes its process with it
#include <p11-kit/pkcs11.h>

CK_RV C_GetFunctionList(CK_FUNCTION_LIST_PTR_PTR list);
