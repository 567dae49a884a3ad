//! Columns that can be added: two of them, each absent or of a type. One more stands in every file.

/// What a schema, or a file, has in one of its two columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Kind {
    #[default]
    Absent,
    Int,
    Text,
    /// INT NOT NULL: a file without it does not fit.
    RequiredInt,
}

/// The two columns of a schema, or of a file.
pub type Columns = [Kind; 2];

/// A column to be added: which, and its type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct NewColumn {
    pub place: u8,
    pub kind: Kind,
}

impl NewColumn {
    /// What stands there now.
    pub fn in_place(self, columns: Columns) -> Kind {
        columns[self.place as usize]
    }

    /// The columns with this one.
    pub fn added_to(self, mut columns: Columns) -> Columns {
        columns[self.place as usize] = self.kind;
        columns
    }

    /// Whether another type has the name.
    pub fn clashes(self, columns: Columns) -> bool {
        !matches!(self.in_place(columns), Kind::Absent) && self.in_place(columns) != self.kind
    }
}

/// Whether a file can be read under a schema: a column that it lacks must be nullable, one that it has must
/// be known and of its type.
pub fn fit(file: Columns, schema: Columns) -> bool {
    file.iter().zip(schema).all(|(has, wanted)| match (has, wanted) {
        (Kind::Absent, wanted) => wanted != Kind::RequiredInt,
        (Kind::Int, Kind::RequiredInt) => true,
        (has, wanted) => *has == wanted,
    })
}
