//go:build !amd64 || purego

package limits

const available = false

func fmaLanes() float64 { return lanes }

func fma(int)            {}
func exp(int)            {}
func divide(int)         {}
func philox(int)         {}
func normal(int)         {}
func read(*float32, int) {}
