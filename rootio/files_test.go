package rootio_test

import (
	"context"
	"math"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/eidolon-hep/eidolon/internal/jsroot"
	"github.com/eidolon-hep/eidolon/internal/testenv"
	"github.com/eidolon-hep/eidolon/rootio"
)

// Files of many programs are read in full, or are refused for a reason that
// is known; nothing panics, and nothing is called damaged. JSROOT reads the same: in
// one file, or in all of them with EIDOLON_TEST_LONG=1.
func TestFiles(t *testing.T) {
	for _, file := range append(testenv.SharedFiles(t, "data/*.root"), testenv.GrootFiles(t, "*.root")...) {
		trees, err := rootio.List(context.Background(), file)
		if err != nil {
			t.Errorf("List: %v", err)
		}
		for _, info := range trees {
			if info.Reason != "" || info.Entries == 0 {
				continue
			}
			readTwice(t, info, file)
			if base := filepath.Base(file); testenv.Long() || base == "b2kkk_phasespace.root" || base == "rvec.root" {
				compareWithJSROOT(t, info, file)
			}
		}
	}
}

// readTwice reads all columns of a tree at once and in chunks.
func readTwice(t *testing.T, info rootio.TreeInfo, file string) {
	t.Helper()
	tr := open(t, info.Name, file)
	if len(tr.Fields()) == 0 {
		_, err := tr.Read(nil, 0, tr.Len())
		complains(t, err, "no branch with one number per event")
		return
	}
	all, err := tr.Read(nil, 0, tr.Len())
	if err != nil {
		t.Error(err)
		return
	}
	events := 0
	for chunk, err := range tr.Chunks(nil, 10_000) {
		if err != nil {
			t.Error(err)
			return
		}
		part := all.Slice(events, events+chunk.Len())
		for i, c := range chunk.Columns {
			if !reflect.DeepEqual(bits(c), bits(part.Columns[i])) {
				t.Errorf("%s: column %q differs at event %d and after", file, c.Name, events)
			}
		}
		events += chunk.Len()
	}
	if int64(events) != info.Entries {
		t.Errorf("%s: %d events of %d", file, events, info.Entries)
	}
}

// compareWithJSROOT compares all columns of a tree with what JSROOT reads.
func compareWithJSROOT(t *testing.T, info rootio.TreeInfo, file string) {
	t.Helper()
	theirs, err := jsroot.Try(t, file, info.Name)
	if err != nil {
		t.Logf("%.200s", strings.ReplaceAll(err.Error(), "\n", " "))
		return
	}
	tr := open(t, info.Name, file)
	compared := 0
	for _, b := range tr.Branches() {
		js, ok := theirs[b.Name]
		if b.Kind == 0 || !ok {
			continue
		}
		got, err := tr.Read([]string{b.Name}, 0, tr.Len())
		if err != nil {
			t.Error(err)
			continue
		}
		var ours []float64
		for _, j := range got.Jagged {
			ours = append(ours, flat(j.Column)...)
			for i := range js.Lengths {
				if n := j.Offsets[i+1] - j.Offsets[i]; n != js.Lengths[i] {
					t.Errorf("%s: %s has %d values in entry %d, JSROOT finds %d", file, b.Name, n, i, js.Lengths[i])
					break
				}
			}
		}
		for row := range tr.Len() {
			for _, c := range got.Columns {
				ours = append(ours, flat(c.Slice(int(row), int(row)+1))...)
			}
		}
		if len(ours) != len(js.Values) {
			t.Errorf("%s: %s.%s (%s) has %d values, JSROOT finds %d", file, info.Name, b.Name, b.Type, len(ours), len(js.Values))
			continue
		}
		compared++
		for i, x := range ours {
			if y := js.Values[i]; x != y && !(math.IsNaN(x) && math.IsNaN(y)) {
				t.Errorf("%s: %s.%s (%s), value %d is %v, JSROOT finds %v", file, info.Name, b.Name, b.Type, i, x, y)
				break
			}
		}
	}
	t.Logf("%s: %d of %d branches of tree %s are as JSROOT reads them", filepath.Base(file), compared, len(info.Branches), info.Name)
}

func flat(c rootio.Column) []float64 {
	x := make([]float64, c.Len())
	c.Floats(x, 0)
	return x
}
