//! A list that is longer than the screen: its order, what is selected, and which part is to be seen.

/// # Invariants
/// - `selected` is a place in `shown`, or 0 where that is empty.
#[derive(Debug)]
pub struct List {
    /// What is shown, by its place in the snapshot, in order.
    pub shown: Vec<usize>,
    /// The place in `shown` of the selected line.
    pub selected: usize,
    /// The column that it is sorted by.
    pub sorted_by: usize,
    /// Whether the other way round.
    pub is_reversed: bool,
    /// The place in `shown` of the topmost line.
    top: usize,
    /// How many lines there were on the screen.
    height: usize,
    /// The name of what is selected, once somebody has moved: it is followed then.
    followed: Option<String>,
    /// The names of what is shown are asked for only when they are needed, from here.
    names: Vec<String>,
}

impl List {
    /// An empty one.
    pub fn new(sorted_by: usize) -> Self {
        Self {
            shown: Vec::new(),
            selected: 0,
            sorted_by,
            is_reversed: false,
            top: 0,
            height: 1,
            followed: None,
            names: Vec::new(),
        }
    }

    /// Shows other things, or the same in another order. Until somebody has moved the first line is selected,
    /// whatever it is; then it is the one of that name, for as long as it is there.
    pub fn arrange(&mut self, shown: Vec<usize>, name: impl Fn(usize) -> String) {
        self.names = shown.iter().map(|&at| name(at)).collect();
        self.shown = shown;
        let found = self.followed.as_ref().and_then(|followed| {
            // Several lines may have the name: then the nearest to where it was.
            let places = self
                .names
                .iter()
                .enumerate()
                .filter(|(_, name)| *name == followed);
            places
                .map(|(at, _)| at)
                .min_by_key(|at| at.abs_diff(self.selected))
        });
        let last = self.shown.len().saturating_sub(1);
        self.selected = found.unwrap_or(self.selected).min(last);
    }

    /// Moves by so many lines, as far as there are.
    pub fn go(&mut self, by: isize) {
        let last = self.shown.len().saturating_sub(1);
        self.selected = self.selected.saturating_add_signed(by).min(last);
        let is_first = self.selected == 0;
        self.followed = self.names.get(self.selected).filter(|_| !is_first).cloned();
    }

    /// Moves by so many screens.
    pub fn page(&mut self, by: isize) {
        self.go(by.saturating_mul(self.height.saturating_sub(1).max(1).cast_signed()));
    }

    /// What is selected, by its place in the snapshot.
    pub fn selected(&self) -> Option<usize> {
        self.shown.get(self.selected).copied()
    }

    /// The places in `shown` that are seen on a screen of so many lines: the selected one is among them.
    pub fn window(&mut self, height: usize) -> std::ops::Range<usize> {
        self.height = height;
        if height == 0 {
            return 0..0;
        }
        let last_top = self.shown.len().saturating_sub(height);
        let lowest = self.selected.saturating_sub(height - 1);
        self.top = self
            .top
            .clamp(lowest, self.selected.max(lowest))
            .min(last_top);
        self.top..self.shown.len().min(self.top + height)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(names: &[&str]) -> List {
        let mut list = List::new(0);
        list.arrange((0..names.len()).collect(), |at| names[at].to_owned());
        list
    }

    #[test]
    fn what_was_moved_to_stays_selected_in_another_order() {
        let mut list = list(&["a", "b", "c"]);
        list.go(1);
        list.arrange(vec![0, 1, 2], |at| ["x", "y", "b"][at].to_owned());
        assert_eq!(list.selected, 2);
        list.arrange(vec![0], |_| "x".to_owned());
        assert_eq!(list.selected, 0);
        list.arrange(vec![], |_| unreachable!());
        assert_eq!((list.selected, list.selected()), (0, None));
    }

    #[test]
    fn at_the_top_the_first_is_selected_whatever_it_is() {
        let mut list = list(&["a", "b"]);
        list.go(1);
        list.go(-1);
        list.arrange(vec![0, 1], |at| ["b", "a"][at].to_owned());
        assert_eq!(list.selected, 0);
    }

    #[test]
    fn the_selected_line_is_on_the_screen() {
        let names: Vec<String> = (0..1000).map(|at| at.to_string()).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let mut list = list(&names);
        assert_eq!(list.window(10), 0..10);
        list.go(10);
        assert_eq!(list.window(10), 1..11);
        list.go(-5);
        assert_eq!(list.window(10), 1..11);
        list.page(1);
        assert_eq!(list.selected, 14);
        list.go(isize::MAX);
        assert_eq!(list.window(10), 990..1000);
        list.go(isize::MIN);
        assert_eq!(list.window(10), 0..10);
        assert_eq!(list.window(0), 0..0);
        list.go(999);
        assert_eq!(list.window(5000), 0..1000);
    }
}
