//go:build !purego

package vmath

import (
	"github.com/eidolon-hep/eidolon/internal/limits"
	"github.com/eidolon-hep/eidolon/kernels/cpu"
)

// inRegisters is the function of that name for about n numbers without loads and
// stores, where the assembly is in use.
func inRegisters(name string, n int) limits.Work {
	f := map[string]struct {
		run   func(blocks int)
		block int
	}{
		"Exp":      {expInRegisters, 32},
		"Log":      {logInRegisters, 32},
		"Tanh":     {tanhInRegisters, 32},
		"Sigmoid":  {sigmoidInRegisters, 32},
		"Softplus": {softplusInRegisters, 16},
	}[name]
	if !cpu.AVX2 || f.run == nil {
		return limits.Work{}
	}
	blocks := n / f.block
	return limits.Work{Amount: float64(blocks * f.block), Run: func() { f.run(blocks) }}
}
