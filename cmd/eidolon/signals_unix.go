//go:build unix

package main

import "syscall"

// systemSignals are those with which batch systems warn of the end of a job. The job may
// be tried again.
func systemSignals() []stopSignal {
	return []stopSignal{
		{syscall.SIGUSR1, "SIGUSR1", exitTryAgain},
		{syscall.SIGXCPU, "SIGXCPU", exitTryAgain},
	}
}
