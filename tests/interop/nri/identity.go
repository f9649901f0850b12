//go:build !nri08 && !nri010

package main

// Of a runtime that tells which version of NRI it speaks; nothing follows from its name.
const runtimeName, runtimeVersion = "interop", "1.2.3"
