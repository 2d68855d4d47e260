// An assembly file, or the compiler wants a body for getAuxv.
