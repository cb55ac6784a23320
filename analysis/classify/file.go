package classify

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"strconv"

	"github.com/eidolon-hep/eidolon/internal/modelfile"
	"github.com/eidolon-hep/eidolon/internal/nn"
	"github.com/eidolon-hep/eidolon/internal/output"
	"github.com/eidolon-hep/eidolon/internal/trees"
	"github.com/eidolon-hep/eidolon/training"
)

// What is wrong with a file that could not be loaded.
var (
	// ErrNotRatio says that a file is not a ratio file.
	ErrNotRatio = errors.New("not a ratio file")
	// ErrVersion says that another version of Eidolon wrote a ratio file.
	ErrVersion = modelfile.ErrVersion
	// ErrDamaged says that a ratio file contradicts itself.
	ErrDamaged = modelfile.ErrDamaged
)

// format is the version of the ratio file.
const format = 1

// description is a ratio without the parameters of its networks and trees.
type description struct {
	Format int  `json:"format"`
	Card   Card `json:"card"`
	sight
	Most    float64  `json:"largest_log_ratio"`
	Members []member `json:"classifiers"`
}

// member is a classifier without its network and trees.
type member struct {
	Hidden     []int       `json:"hidden"`
	Polynomial *polynomial `json:"polynomial"`
	Blend      regression  `json:"blend"` // of network, trees and polynomial
}

// IsRatio reports whether a file is one that [Ratio.Save] wrote.
func IsRatio(file string) bool { return modelfile.Is(modelfile.Ratio)(file) }

// CheckOutput checks that a ratio can be saved as file, and that nothing of the user's is lost by it.
func CheckOutput(file string, inputs ...string) error {
	return output.Check(file, output.Kind{Name: "a ratio file", Is: IsRatio}, inputs...)
}

// Save writes the ratio to a file: safetensors, with JSON for everything but the parameters. The file appears
// under its name when it is complete.
func (r *Ratio) Save(file string) error {
	d := description{Format: format, Card: r.Card, sight: r.sight, Most: r.most}
	var tensors []training.Tensor
	for k, relation := range r.sight.Relations {
		tensors = training.Prefixed(relationPrefix(k), relation.params.Tensors(), tensors)
	}
	for k, m := range r.members {
		d.Members = append(d.Members, member{m.hidden, m.polynomial, m.blend})
		tensors = training.Prefixed(memberPrefix(k), training.Prefixed(treesPrefix, m.trees.Tensors(), m.net.params.Tensors()), tensors)
	}
	text, err := json.Marshal(d)
	if err != nil {
		return fmt.Errorf("classify: could not describe the ratio: %w", err)
	}
	if err := modelfile.Write(file, tensors, modelfile.Ratio, string(text)); err != nil {
		return fmt.Errorf("classify: %w", err)
	}
	return nil
}

func relationPrefix(k int) string { return "relation." + strconv.Itoa(k) + "." }
func memberPrefix(k int) string   { return strconv.Itoa(k) + "." }

// Load reads a ratio that [Ratio.Save] wrote. The error wraps [ErrNotRatio] when the file is something else,
// and [ErrDamaged] when it contradicts itself: what was loaded is sound.
func Load(file string) (*Ratio, error) {
	fail := func(err error) (*Ratio, error) {
		return nil, fmt.Errorf("classify: could not load %q: %w", file, err)
	}
	tensors, text, err := modelfile.Read(file, modelfile.Ratio)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil, fmt.Errorf("classify: could not load the ratio: %w", err)
	case errors.Is(err, modelfile.ErrKind) && modelfile.Is(modelfile.Model)(file):
		return fail(fmt.Errorf("%w: it is a model; “eidolon reweight --fit” makes ratios", ErrNotRatio))
	case errors.Is(err, modelfile.ErrKind):
		return fail(fmt.Errorf("%w; “eidolon reweight --fit” makes them", ErrNotRatio))
	case err != nil:
		return fail(err)
	}
	var version struct {
		Format int `json:"format"`
	}
	if err := json.Unmarshal([]byte(text), &version); err != nil {
		return fail(modelfile.Damaged(err))
	}
	if version.Format != format {
		return fail(fmt.Errorf("%w: it has format %d, this program reads format %d: fit the ratio again, or take the program that wrote it", ErrVersion, version.Format, format))
	}
	r, err := load(text, tensors)
	if err != nil {
		return fail(modelfile.Damaged(err))
	}
	return r, nil
}

// load returns the ratio of a description and parameters, which are checked.
func load(text string, tensors []training.Tensor) (*Ratio, error) {
	var d description
	if err := json.Unmarshal([]byte(text), &d); err != nil {
		return nil, err
	}
	if err := d.sight.check(); err != nil {
		return nil, err
	}
	if c := d.Card; c.Events[0] < 0 || c.Events[1] < 0 {
		return nil, errors.New("the numbers of events are negative")
	}
	const (
		most    = 1000 // classifiers
		largest = 100  // logarithm of a ratio: so many events there are not
	)
	if len(d.Members) == 0 || len(d.Members) > most || !(d.Most >= 0 && d.Most < largest) {
		return nil, fmt.Errorf("%d classifiers of ratios up to exp %g", len(d.Members), d.Most)
	}
	r := &Ratio{Card: d.Card, sight: d.sight, most: d.Most}
	for k, relation := range r.sight.Relations {
		own, others := training.Under(relationPrefix(k), tensors)
		if err := checkNetwork(own, len(relation.Others), relation.Hidden); err != nil {
			return nil, err
		}
		relation.network, tensors = newRegressor(len(relation.Others), relation.Hidden, 0), others
		if err := relation.load(own); err != nil {
			return nil, err
		}
	}
	for k, m := range d.Members {
		c, others, err := m.load(memberPrefix(k), tensors, r.sight.dim())
		if err != nil {
			return nil, fmt.Errorf("classifier %d: %w", k, err)
		}
		r.members, tensors = append(r.members, c), others
	}
	if len(tensors) > 0 {
		return nil, fmt.Errorf("it has a tensor %q", tensors[0].Name)
	}
	return r, nil
}

// check reports whether what was read from a file makes sense.
func (s *sight) check() error {
	values := func(c *seen) int {
		if c.Values == nil {
			return 0
		}
		return c.Values.Dim()
	}
	names := map[string]bool{}
	for i := range s.Columns {
		c := &s.Columns[i]
		if c.Name == "" || names[c.Name] || !(c.Scale > 0) {
			return fmt.Errorf("column %d, %q, is damaged", i, c.Name)
		}
		names[c.Name] = true
		if c.Values == nil {
			continue
		}
		if err := c.Values.Check(); err != nil {
			return err
		}
		if len(c.Values.Columns) != 1 || c.Values.Columns[0].Name != c.Name || values(c) == 0 {
			return fmt.Errorf("the treatment of column %q is damaged", c.Name)
		}
	}
	simple := len(s.Of) - len(s.Relations) // inputs that are no relations
	if simple < 1 {
		return fmt.Errorf("%d inputs, %d relations among them", len(s.Of), len(s.Relations))
	}
	for k, in := range s.Of {
		if in.Column < 0 || in.Column >= len(s.Columns) {
			return fmt.Errorf("input %d is of column %d, of %d", k, in.Column, len(s.Columns))
		}
		sound := false
		switch in.Aspect {
		case Missing:
			sound = in.At == 0 || in.At == 1 || in.At == -1
		case Value:
			sound = in.At == math.Trunc(in.At) && in.At >= 0 && in.At < float64(values(&s.Columns[in.Column]))
		case Spike:
			sound = true
		case Rounding:
			sound = in.At > 0
		}
		if isRelation := k >= simple; sound == isRelation || isRelation && in.Aspect != Relation {
			return fmt.Errorf("input %d (%s of column %d) is damaged", k, in.Aspect, in.Column)
		}
	}
	for k, r := range s.Relations {
		sound := r != nil && r.Target >= 0 && r.Target < simple && len(r.Others) > 0 && len(r.Others) < simple && r.Usual > 0
		for j := 0; sound && j < len(r.Others); j++ {
			sound = r.Others[j] >= 0 && r.Others[j] < simple
		}
		if !sound {
			return fmt.Errorf("relation %d is damaged", k)
		}
	}
	return nil
}

// checkNetwork checks a network dim → hidden… → 1 against its parameters, before memory is asked for.
func checkNetwork(tensors []training.Tensor, dim int, hidden []int) error {
	const most, widest = 8, 1 << 12
	if len(hidden) > most {
		return fmt.Errorf("a network of %d hidden layers", len(hidden))
	}
	for _, h := range hidden {
		if h < 1 || h > widest {
			return fmt.Errorf("a hidden layer that is %d wide", h)
		}
	}
	if have, want := training.Values(tensors), nn.MLPLen(dim, hidden, 1); have != want {
		return fmt.Errorf("%d parameters for a network of %d", have, want)
	}
	return nil
}

// load takes over parameters that were read from a file.
func (n *network) load(tensors []training.Tensor) error {
	if err := n.params.Load(tensors); err != nil {
		return err
	}
	n.mlp.Pack()
	return nil
}

// load returns the classifier of dim inputs whose tensors have a prefix, and the other tensors.
func (m *member) load(prefix string, tensors []training.Tensor, dim int) (*classifier, []training.Tensor, error) {
	own, others := training.Under(prefix, tensors)
	forest, network := training.Under(treesPrefix, own)
	c := &classifier{hidden: m.Hidden, blend: m.Blend, polynomial: m.Polynomial}
	if err := checkNetwork(network, dim, m.Hidden); err != nil {
		return nil, nil, err
	}
	c.net = newClassifier(dim, m.Hidden, 0)
	if err := c.net.load(network); err != nil {
		return nil, nil, err
	}
	var err error
	if c.trees, err = trees.Load(forest, dim); err != nil {
		return nil, nil, err
	}
	if len(m.Blend) != learners+1 {
		return nil, nil, fmt.Errorf("%d coefficients of %d outputs", len(m.Blend), learners)
	}
	if c.polynomial == nil {
		return nil, nil, errors.New("there is no polynomial")
	}
	c.polynomial.dim = dim
	return c, others, c.polynomial.check()
}

// check reports whether a polynomial that was read from a file makes sense.
func (p *polynomial) check() error {
	if len(p.C) != len(p.Terms)+1 && len(p.C)+len(p.Terms) > 0 {
		return fmt.Errorf("%d coefficients of %d terms", len(p.C), len(p.Terms))
	}
	for _, t := range p.Terms {
		if t.A < 0 || t.A >= p.dim || t.B >= p.dim || !(t.Width > 0) {
			return errors.New("a term of the polynomial is damaged")
		}
	}
	return nil
}

// treesPrefix is that of the tensors of trees.
const treesPrefix = "trees."
