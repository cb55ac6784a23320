package factor

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/eidolon-hep/eidolon/training"
)

// Kind is a kind of factor.
type Kind struct {
	Name string

	// Help says what it is where a model can be chosen. A kind without help is no model: it is
	// put in front of the model where the features have something for it ([Kind.Find]).
	Help string

	// Options are the names of the options that it has a use for.
	Options []string
	// Default are the settings of a large sample, where none are asked for, and Adapt, unless it
	// is nil, changes those that were not asked for by the number of events and of features.
	Default Settings
	Adapt   func(s *Settings, asked Settings, n, dim int)
	// Schedule returns the options of a training on n events, complete. It is nil where there is
	// no training, or one for each part of the model.
	Schedule func(o training.Options, n int) training.Options
	// Check, unless it is nil, says which setting makes no sense.
	Check func(s Settings) error

	// Find returns the factor of a part of the features of events, nil where there is no such
	// part, and is asked again for the rest. Make returns the factor of all features, untrained. steep are the features of the
	// context that others may depend on steeply.
	Find func(ctx context.Context, events Events, s Settings) (Factor, error)
	Make func(dim, context int, steep []int, s Settings) (Factor, error)
	// Load returns the factor of features that a text describes.
	Load func(text []byte, tensors []training.Tensor, of Features) (Factor, error)

	// Normals returns the number of normals of the base distribution for n events, where a mixture is
	// more likely than one normal. Where it is nil, a mixture is only for events that come as islands.
	Normals func(n, dim int) int

	// Couplings are forms of which a short trial takes the best where none is asked for; the first
	// is taken where there is no time for a trial.
	Couplings []string

	Trial    bool     // a trial compares it with others where the model is left open; the first is the default
	Islands  bool     // of those in the trial it is the one for events that come as islands
	Around   bool     // an angle around which something repeats is to be drawn before it
	Free     bool     // it does not depend on the context
	Copies   bool     // its events may be copies of training events
	OneWidth bool     // it smears training events by one width everywhere
	Teachers []string // the kinds that it can learn from, the default first
	Networks bool     // Settings.Networks tells of its networks
	Folds    bool     // each event is learnt from and judges, in turn: see [Folded]
	Mixes    bool     // several of it, in different coordinates, can be a mixture: they are [Mixable] or [Folded]
}

// Kinds returns the table of all kinds of factors. Those that are found among the features come
// first, in the order in which they are drawn.
func Kinds() []Kind {
	return []Kind{
		independentKind(), angleKind(), codesKind(), countsKind(),
		autoregressiveKind(), splineKind(), realNVPKind(), ensembleKind(),
		kernelSumsKind(), denoiserKind(), distilledKind(),
	}
}

// ByName returns a kind of factor, and false where none has the name.
func ByName(name string) (Kind, bool) {
	all := Kinds()
	i := slices.IndexFunc(all, func(k Kind) bool { return k.Name == name })
	if i < 0 {
		return Kind{}, false
	}
	return all[i], true
}

// byNameOrDefault is ByName, and the default model where the name is left open.
func byNameOrDefault(name string) (Kind, bool) { return ByName(cmp.Or(name, Models()[0].Name)) }

// Models returns the kinds that can be chosen to be trained; the first is the default.
func Models() []Kind {
	return slices.DeleteFunc(Kinds(), func(k Kind) bool { return k.Help == "" })
}

// Names returns the names of kinds.
func Names(kinds []Kind) []string {
	names := make([]string, len(kinds))
	for i, k := range kinds {
		names[i] = k.Name
	}
	return names
}

// Teachers returns the names of the kinds that a model can learn from; the first is the default.
func Teachers() (names []string) {
	for _, k := range Models() {
		names = append(names, k.Teachers...)
	}
	return names
}

// teacher returns the kind that it learns from, and false if it learns from none.
func (k Kind) teacher(s Settings) (Kind, bool) {
	if len(k.Teachers) == 0 {
		return Kind{}, false
	}
	if s.Teacher != "" {
		return ByName(s.Teacher)
	}
	return ByName(k.Teachers[0])
}

// GoesAround reports whether an angle around which something repeats is to be drawn before it.
func (k Kind) GoesAround(s Settings) bool {
	teacher, ok := k.teacher(s)
	return k.Around && (!ok || teacher.Around)
}

// Smearing returns the kind that smears training events by one width everywhere: it, or the one that it
// learns from; and false if neither does.
func (k Kind) Smearing(s Settings) (Kind, bool) {
	if teacher, ok := k.teacher(s); ok {
		k = teacher
	}
	return k, k.OneWidth
}

// Uses reports whether it has a use for an option: it or the kind that it learns from.
func (k Kind) Uses(option string, s Settings) bool {
	if slices.Contains(k.Options, option) {
		return true
	}
	teacher, ok := k.teacher(s)
	return ok && slices.Contains(ofTeacher, option) && slices.Contains(teacher.Options, option)
}

// variant is the name, and that of the kind that it learns from if that is not the default.
func (k Kind) variant(s Settings) string {
	if teacher, ok := k.teacher(s); ok && teacher.Name != k.Teachers[0] {
		return k.Name + " from " + teacher.Name
	}
	return k.Name
}

// CheckUse returns an error if the model of a name has no use for an option: one that goes on
// after the option's name, “is for the models …”. Where the model is left open it is the
// default.
func CheckUse(model, name string, s Settings) error {
	kind, ok := byNameOrDefault(model)
	isOption := slices.ContainsFunc(options, func(o option) bool { return o.name == name })
	if !ok || !isOption || kind.Uses(name, s) {
		return nil
	}
	var users []string
	for _, k := range Models() {
		if k.Uses(name, Settings{}) {
			users = append(users, k.Name)
			continue
		}
		for _, teacher := range k.Teachers {
			if with := (Settings{Teacher: teacher}); k.Uses(name, with) {
				users = append(users, k.variant(with))
			}
		}
	}
	the := "the default, a flow,"
	if model != "" {
		the = fmt.Sprintf("the model %q", kind.variant(s))
	}
	plural := "s"
	if len(users) == 1 {
		plural = ""
	}
	return fmt.Errorf("is for the model%s %s: %s has no use for it", plural, list(users), the)
}

// HelpOn says what each model is.
func HelpOn() string {
	var texts []string
	for _, k := range Models() {
		texts = append(texts, fmt.Sprintf("%s (%s)", k.Name, k.Help))
	}
	return strings.Join(texts, ", ")
}

// DefaultOf says what a setting is for many events, where it is not asked for: that of the default model
// and of those for which it is another, such as “128; denoiser 256”.
func DefaultOf(setting func(Settings) float64) string {
	const n, dim = 100_000, 10
	var values []float64
	names := map[float64][]string{}
	for _, k := range Models() {
		s, _ := k.Decide(Settings{}, n, dim) // what is not asked for is no error
		if k.Schedule != nil {
			s.Train = k.Schedule(s.Train, n)
		}
		v := setting(s)
		if v == 0 {
			continue
		}
		if names[v] == nil {
			values = append(values, v)
		}
		names[v] = append(names[v], k.Name)
	}
	text := fmt.Sprintf("%g", values[0])
	for _, v := range values[1:] {
		text += fmt.Sprintf("; %s %g", list(names[v]), v)
	}
	return text
}

// list is “a, b and c”.
func list(names []string) string {
	last := len(names) - 1
	if last == 0 {
		return names[0]
	}
	return strings.Join(names[:last], ", ") + " and " + names[last]
}
