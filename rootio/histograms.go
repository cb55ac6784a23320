package rootio

import (
	"math"
	"strings"

	"go-hep.org/x/hep/groot/rbytes"
	"go-hep.org/x/hep/groot/rdict"
	"go-hep.org/x/hep/groot/rhist"
	"go-hep.org/x/hep/hbook"
)

// WithHistograms puts a histogram (TH1D) of every column beside each tree, in a
// directory of the tree's name and "_histograms". It has the given number of bins
// over the range of the first table that is written, or a bin for each number of a column of
// few whole numbers. Values that are no numbers are left out.
func WithHistograms(bins int) Option { return func(o *options) { o.bins = bins } }

// book returns a histogram with the range of the first values of a column; nil if there are none.
func book(name string, values []float64, isInteger bool, bins int) *hbook.H1D {
	lo, hi := math.Inf(1), math.Inf(-1)
	for _, v := range values {
		if v-v == 0 {
			lo, hi = min(lo, v), max(hi, v)
		}
	}
	switch {
	case lo > hi:
		return nil
	case isInteger && hi-lo < float64(bins):
		lo, hi, bins = lo-0.5, hi+0.5, int(hi-lo)+1
	case lo == hi:
		lo, hi = math.Nextafter(lo-0.5, math.Inf(-1)), math.Nextafter(hi+0.5, math.Inf(1))
	default:
		hi += 1e-9 * (hi - lo) // the last bin has the largest value, too
	}
	if !(lo < hi) || math.IsInf(hi-lo, 0) {
		return nil
	}
	h := hbook.NewH1D(bins, lo, hi)
	h.Ann["name"], h.Ann["title"] = name, name
	return h
}

// fill adds the values of a table to the histograms of the columns.
func (w *Writer) fill(t *Table) {
	const least = 1 << 10 // values that are converted at a time
	at := 0
	add := func(c Column) {
		if len(w.histograms) <= at {
			w.histograms = append(w.histograms, nil)
		}
		h := &w.histograms[at]
		at++
		if len(w.values) < c.Len() {
			w.values = make([]float64, max(c.Len(), least))
		}
		values := w.values[:c.Len()]
		c.Floats(values, 0)
		if *h == nil {
			*h = book(c.Name, values, c.Kind.IsInteger(), w.out.opts.bins)
		}
		for _, v := range values {
			if v-v == 0 && *h != nil {
				(*h).Fill(v, 1)
			}
		}
	}
	for _, c := range t.Columns {
		add(c)
	}
	for _, j := range t.Jagged {
		add(j.Column)
	}
}

// putHistograms writes the histograms of all trees.
func (out *output) putHistograms() error {
	for _, w := range out.trees {
		for _, h := range w.histograms {
			if h == nil {
				continue
			}
			dir, name, err := out.file.makeDirs(w.path + "_histograms/" + strings.ReplaceAll(h.Name(), "/", "_"))
			if err == nil {
				_, err = out.file.putGroot(dir, key{class: "TH1D", name: name, title: name}, rhist.NewH1DFrom(h))
				out.file.classes["TH1D"] = true
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// putGroot puts an object of groot in a directory.
func (f *newFile) putGroot(dir *newDir, k key, object rbytes.Marshaler) (key, error) {
	buf := rbytes.NewWBuffer(nil, nil, uint32(k.length()), rdict.StreamerInfos)
	if _, err := object.MarshalROOT(buf); err != nil {
		return k, err
	}
	return f.putObject(dir, k, buf.Bytes())
}
