package parallel

import (
	"sync/atomic"

	"github.com/eidolon-hep/eidolon/internal/panics"
)

// Each calls do(0) … do(n−1), each once, by so many goroutines at most, and returns the error
// of the smallest number that has one.
func Each(n, workers int, do func(i int) error) error {
	errs := make([]error, n)
	var next atomic.Int64
	var all panics.Group
	for range min(workers, n) {
		all.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				errs[i] = do(i)
			}
		})
	}
	all.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
