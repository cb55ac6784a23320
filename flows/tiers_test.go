package flows_test

import (
	"context"
	"fmt"
	"hash/fnv"
	"math"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/eidolon-hep/eidolon/flows"
	"github.com/eidolon-hep/eidolon/internal/testenv"
	"github.com/eidolon-hep/eidolon/kernels/cpu"
	"github.com/eidolon-hep/eidolon/kernels/philox"
	"github.com/eidolon-hep/eidolon/training"
)

// TestBitsWithoutAVX512 checks that a training and its events are the same to the bit
// with and without AVX-512, in a process of its own: the jobs of a production run on
// whatever processors there are.
func TestBitsWithoutAVX512(t *testing.T) {
	const asked = "EIDOLON_TEST_BITS"
	sums := func() string {
		const dim, n = 5, 3000
		x := make([]float32, n*dim)
		philox.Normal(x, 1, 0, 0)
		for i := range n {
			x[i*dim+1] = x[i*dim]*x[i*dim] + 0.1*x[i*dim+1]
		}
		text := ""
		for name, layers := range map[string][]flows.Layer{
			"realnvp":        flows.RealNVP(dim, 1, flows.RealNVPOptions{Layers: 4, Hidden: []int{40, 72}}),
			"spline":         flows.Spline(dim, 1, flows.SplineOptions{Layers: 4, Hidden: []int{40, 72}}),
			"autoregressive": flows.Autoregressive(dim, flows.AutoregressiveOptions{Hidden: []int{24, 40}}),
		} {
			f, err := flows.New(dim, 0, 1, layers...)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := f.Train(context.Background(), training.Data{Dim: dim, X: x}, training.Data{Dim: dim}, training.Options{Epochs: 2, Average: 0.9}); err != nil {
				t.Fatal(err)
			}
			events := make([]float32, 1000*dim)
			if err := f.Sample(t.Context(), events, nil, 2, 0, 0); err != nil {
				t.Fatal(err)
			}
			h := fnv.New64()
			for _, v := range events {
				fmt.Fprintf(h, "%x ", math.Float32bits(v))
			}
			text += fmt.Sprintf("%s=%x;", name, h.Sum64())
		}
		return text
	}
	parse := func(text string) map[string]string {
		of := map[string]string{}
		for _, part := range strings.Split(strings.TrimSpace(text), ";") {
			if name, sum, ok := strings.Cut(part, "="); ok {
				of[name] = sum
			}
		}
		return of
	}
	if os.Getenv(asked) != "" {
		fmt.Printf("bits %s\n", sums())
		return
	}
	if !cpu.AVX512 {
		testenv.Impossible(t, "there is no AVX-512 to do without")
	}
	child := exec.Command(os.Args[0], "-test.run", "^TestBitsWithoutAVX512$")
	child.Env = append(os.Environ(), asked+"=1", "EIDOLON_NOAVX512=1")
	out, err := child.Output()
	if err != nil {
		t.Fatal(err)
	}
	_, text, _ := strings.Cut(string(out), "bits ")
	text, _, _ = strings.Cut(text, "\n")
	without := parse(text)
	for name, sum := range parse(sums()) {
		if without[name] != sum {
			t.Errorf("%s: other events without AVX-512", name)
		}
	}
}
