package rootio

// A TTree has a list of objects that people put beside it: names, texts, numbers. Those that are known here are carried
// along.

// userObject is an object of that list.
type userObject struct {
	class string
	name  string
	text  string // of a TNamed or a TObjString
	value []byte // of a TParameter
}

// parameters are the numbers of bytes of the values of TParameters.
var parameters = map[string]int{"TParameter<double>": 8, "TParameter<float>": 4, "TParameter<int>": 4, "TParameter<Long64_t>": 8}

// userObject reads an object of the list; nil if it is not known.
func (r *objectReader) userObject(class string) any {
	u := userObject{class: class}
	size, isParameter := parameters[class]
	switch {
	case class == "TNamed":
		u.name, u.text = r.named()
	case class == "TObjString":
		r.object(class, func(int) {
			r.tobject()
			u.text = r.str()
		})
	case isParameter:
		r.object(class, func(int) {
			r.tobject()
			u.name = r.str()
			u.value = append(u.value, r.next(size)...)
		})
	default:
		return nil
	}
	return u
}

// userObject writes an object of the list.
func (w *objectWriter) userObject(u userObject) {
	w.pointer(u.class, nil, func() {
		switch u.class {
		case "TNamed":
			w.named(u.name, u.text)
		case "TObjString":
			w.object(1, func() {
				w.tobject()
				w.str(u.text)
			})
		default:
			w.object(2, func() {
				w.tobject()
				w.str(u.name)
				w.b = append(w.b, u.value...)
			})
		}
	})
}
