//go:build !amd64 || purego

package vmath

import "github.com/eidolon-hep/eidolon/internal/limits"

func inRegisters(string, int) limits.Work { return limits.Work{} }
