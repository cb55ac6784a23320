package compare

import (
	"context"
	"fmt"
	"image/png"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"go-hep.org/x/hep/hplot"

	"github.com/eidolon-hep/eidolon/internal/testenv"
	"github.com/eidolon-hep/eidolon/rootio"
)

// pixels decodes a picture, checks that something is drawn on it and returns
// its size.
func pixels(t *testing.T, name string) (w, h int) {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	img, err := png.Decode(f)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	box := img.Bounds()
	var inked int
	for y := box.Min.Y; y < box.Max.Y; y++ {
		for x := box.Min.X; x < box.Max.X; x++ {
			if r, g, b, _ := img.At(x, y).RGBA(); r+g+b < 3*0xffff {
				inked++
			}
		}
	}
	if part := float64(inked) / float64(box.Dx()*box.Dy()); part < 0.01 || part > 0.9 {
		t.Errorf("%s: ink on %.1f %% of it", name, 100*part)
	}
	return box.Dx(), box.Dy()
}

func TestPlots(t *testing.T) {
	testenv.Slow(t, "it draws all plots")
	ref, cand := nasty()
	r := compare(t, ref, cand, Options{})
	dir := filepath.Join(t.TempDir(), "new", "plots")
	if err := r.Plots(context.Background(), dir); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	want := []string{
		"Overview_2.png", "__2.png", "_up.png", // π/2 and ../up
		"a_name_that_is_longer_than_the_table_is_ready_to_show_in_any_of_its_lines.png",
		"event.png", "flag.png", "heavy.png", "huge.png", "mask.png", "narrow.png", "overview.png",
		"spike.png", "tiny.png", "x.png", "zero.png",
	}
	if !slices.Equal(names, want) {
		t.Errorf("files %v, want %v", names, want)
	}
	for _, name := range names {
		w, h := pixels(t, filepath.Join(dir, name))
		if w < 400 || h < 400 || w > 4000 || h > 4000 {
			t.Errorf("%s is %d × %d", name, w, h)
		}
	}
	if err := r.Plots(context.Background(), filepath.Join(dir, "x.png")); err == nil {
		t.Error("a file was taken for a directory")
	}
}

func TestSpectra(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	sample := func() *rootio.Table {
		return table(rootio.ColumnOf("a", normals(rng, 2000, 0)), rootio.ColumnOf("b", normals(rng, 2000, 5)),
			rootio.ColumnOf("c", make([]bool, 2000)), rootio.ColumnOf("d", []float64{math.NaN(), 2000: 1}[:2000]))
	}
	ref, cand := sample(), sample()
	for i := range 2000 {
		ref.Columns[3].SetFloats(i, []float64{math.NaN()})
	}
	r := compare(t, ref, cand, Options{})
	name := filepath.Join(t.TempDir(), "spectra.png")
	if err := r.Spectra(name, "b", "a"); err != nil {
		t.Fatal(err)
	}
	w2, h := pixels(t, name)
	if err := r.Spectra(name, "a", "b", "c"); err != nil {
		t.Fatal(err)
	}
	if w3, h3 := pixels(t, name); w3 <= w2 || h3 != h {
		t.Errorf("two panels %d × %d, three %d × %d", w2, h, w3, h3)
	}
	for _, columns := range [][]string{{"a", "e"}, {"d"}, nil} {
		if err := r.Spectra(name, columns...); err == nil {
			t.Errorf("%v was plotted", columns)
		}
	}
	if err := r.Spectra(filepath.Join(name, "below"), "a"); err == nil {
		t.Error("written below a file")
	}
}

// All events are in a bin or outside, whatever the tails.
func TestSpectrumIsComplete(t *testing.T) {
	ref, cand := nasty()
	for _, c := range compare(t, ref, cand, Options{}).Columns {
		s := c.spectrum
		if c.Verdict == NoValues {
			continue
		}
		sum := 100 * s.outside
		for k, b := range s.cand {
			sum += b.value
			if s.hi[k] < s.lo[k] || k > 0 && s.lo[k] < s.hi[k-1] {
				t.Fatalf("%s: bin %d is [%v, %v)", c.Name, k, s.lo[k], s.hi[k])
			}
		}
		near(t, c.Name+": candidate", sum, 100, 1e-9)
		sum = 0
		for _, b := range s.ref {
			sum += b.value
		}
		if sum < 99 || sum > 100+1e-9 {
			t.Errorf("%s: %v %% of the reference are shown", c.Name, sum)
		}
	}
}

func TestLogarithmicWhereTheSpectrumFalls(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 2))
	falling, flat := make([]float64, 50_000), make([]float64, 50_000)
	for i := range falling {
		falling[i], flat[i] = rng.ExpFloat64(), rng.Float64()
	}
	if !compareOne(t, falling, falling).spectrum.logarithms || compareOne(t, flat, flat).spectrum.logarithms {
		t.Error("wrong scale")
	}
}

func TestAxisLabel(t *testing.T) {
	for _, c := range []struct{ name, title, want string }{
		{"pt", "pT [GeV]", "pT [GeV]"}, {"pt", "", "pt"}, {"pt", "pt/F", "pt"},
		{"pt", "a title for which no picture of this size can have the room", "pt"},
	} {
		column := Column{Name: c.name, Title: c.title}
		if got := column.axisLabel(); got != c.want {
			t.Errorf("%+v: %q", c, got)
		}
	}
}

// Ticks of a narrow range have labels that differ.
func TestLabelsOfNarrowRanges(t *testing.T) {
	for _, r := range [][2]float64{{0, 1}, {91.1876, 91.18761}, {91.1876, 91.1876 + 1e-9}, {1e6, 1e6 + 0.01}, {-3e-7, 2e-7}} {
		seen := map[string]bool{}
		for _, tick := range (numbers{hplot.Ticks{N: 5}}).Ticks(r[0], r[1]) {
			if tick.Label != "" && seen[tick.Label] {
				t.Errorf("%v: two ticks have the label %s", r, tick.Label)
			}
			seen[tick.Label] = true
		}
		if len(seen) < 3 {
			t.Errorf("%v: %d labels", r, len(seen))
		}
	}
}

func TestPagesOfTheOverview(t *testing.T) {
	testenv.Slow(t, "it draws many pages")
	ref := &rootio.Table{}
	for i := range maxPanels + 2 {
		ref.Columns = append(ref.Columns, rootio.ColumnOf(fmt.Sprint("column", i), []int8{0, 1, 1}))
	}
	dir := t.TempDir()
	if err := compare(t, ref, ref, Options{}).Plots(context.Background(), dir); err != nil {
		t.Fatal(err)
	}
	w1, h1 := pixels(t, filepath.Join(dir, "overview.png"))
	w2, h2 := pixels(t, filepath.Join(dir, "overview_2.png"))
	if w2 > w1 || h2*4 > h1 {
		t.Errorf("pages of %d × %d and %d × %d", w1, h1, w2, h2)
	}
}
