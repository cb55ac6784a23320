// Package limits measures what the processor can do at most, so that a kernel's
// speed can be told as a part of it.
//
// A shared machine changes its speed from moment to moment. Hence a kernel and
// its limit are measured in turn, in short windows, as [Measure] does it.
//
// A limit is a loop that does what a kernel cannot do without, and nothing
// else: multiply-adds on registers, the instructions of an exponential with no
// one waiting for another, loads from the second cache. Its work is counted in
// the kernel's units, which is what the arguments of [FMA] and the others are
// for: a kernel that does 2 flops in a unit of its work has the limit FMA(2).
package limits

//go:generate go run ../../asm/limits -out limits_avx2_amd64.s -stubs limits_avx2_amd64.go -pkg limits
//go:generate go run ../../asm/limits -wide -out limits_avx512_amd64.s -stubs limits_avx512_amd64.go -pkg limits

// Work is something to be measured: a function, and how much a call of it does.
// A Work is used by one goroutine at a time.
type Work struct {
	Amount float64
	Run    func()
}

// Numbers of a YMM register, and how often a call of a limit does its loop.
const (
	lanes = 8
	times = 1 << 10
)

// Available reports whether there are limits: the assembly is in use. Without
// it the functions below return the zero Work.
func Available() bool { return available }

// FMA is as many fused multiply-adds on registers as can be, of the widest in use. A unit of work is
// so many floating-point operations, of which a multiply-add is two.
func FMA(flops float64) Work { return loop(fma, 12*fmaLanes()*2/flops) }

// Exp is the instructions of the exponential function of kernels/vmath. A unit
// of work is so many exponentials.
func Exp(count float64) Work { return loop(exp, 4*lanes/count) }

// Divide is square roots and divisions. A unit of work is so many of each.
func Divide(count float64) Work { return loop(divide, 4*lanes/count) }

// Philox is the instructions of the generator of kernels/philox, without what
// turns its words of 32 bits into deviates. A unit of work is so many words.
func Philox(words float64) Work { return loop(philox, 8*4/words) }

// Normal is the instructions of the normal deviates of kernels/philox. A unit of
// work is so many deviates.
func Normal(count float64) Work { return loop(normal, 32/count) }

// Load is loads from the first cache. A unit of work is so many bytes.
func Load(bytes float64) Work { return loads(1<<12, bytes) } // half of most first caches

// Read is loads from the second cache. A unit of work is so many bytes.
func Read(bytes float64) Work { return loads(1<<16, bytes) } // eight times most first caches, half of most second ones

func loads(floats int, bytes float64) Work {
	if !available {
		return Work{}
	}
	memory := make([]float32, floats)
	for i := range memory {
		memory[i] = 1 // pages that nobody wrote to may all be the same one
	}
	return Work{
		Amount: float64(4*len(memory)) / bytes,
		Run:    func() { read(&memory[0], len(memory)/64) },
	}
}

func loop(f func(n int), amount float64) Work {
	if !available {
		return Work{}
	}
	return Work{Amount: times * amount, Run: func() { f(times) }}
}
