//go:build nri010

package main

// A runtime before v0.12 does not tell which version of NRI it speaks: stubs know it by these.
const runtimeName, runtimeVersion = "containerd", "v2.2.0"
