//go:build !amd64 || purego

package philox

func uniform(dst []float32, seed, stream, first uint64) { uniformPure(dst, seed, stream, first) }

func uniform64(dst []float64, seed, stream, first uint64) { uniform64Pure(dst, seed, stream, first) }

func normal(dst []float32, seed, stream, first uint64) { normalPure(dst, seed, stream, first) }
