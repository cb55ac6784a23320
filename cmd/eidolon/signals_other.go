//go:build !unix

package main

func systemSignals() []stopSignal { return nil }
