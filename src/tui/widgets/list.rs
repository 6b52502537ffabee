//! A list that draws only the rows in sight, however many there are.

use std::cell::Cell;

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;

/// Where a list was scrolled to when it was last drawn. Nothing but the next draw, and [`ListView::page`], depends on it,
/// which is why drawing may change it.
#[derive(Clone, Debug, Default)]
pub struct ListView {
    top: Cell<usize>,
    height: Cell<usize>,
}

impl ListView {
    /// Draws `len` rows, scrolled so that the selected one is in sight; `row` makes the line of an index for a width.
    pub fn render<'a>(
        &self,
        frame: &mut Frame,
        area: Rect,
        len: usize,
        selected: usize,
        row: impl Fn(usize, u16) -> Line<'a>,
    ) {
        self.render_from(frame, area, len, selected, selected, row);
    }

    /// [`ListView::render`], with the rows from `first` on in sight too, as far as they and the selected one fit.
    pub fn render_from<'a>(
        &self,
        frame: &mut Frame,
        area: Rect,
        len: usize,
        first: usize,
        selected: usize,
        row: impl Fn(usize, u16) -> Line<'a>,
    ) {
        let height = usize::from(area.height);
        self.height.set(height);
        let top = scrolled(self.top.get(), height, len, first);
        self.top.set(scrolled(top, height, len, selected));
        for (index, y) in (self.top.get()..len).zip(area.top()..area.bottom()) {
            frame.render_widget(row(index, area.width), Rect { y, height: 1, ..area });
        }
    }

    /// How many rows a page has; at least one.
    pub fn page(&self) -> usize {
        self.height.get().saturating_sub(1).max(1)
    }
}

/// The first row in sight: as near to the old one as keeps the selection in sight and no empty space below the last row.
fn scrolled(top: usize, height: usize, len: usize, selected: usize) -> usize {
    let lowest = (selected + 1).saturating_sub(height);
    top.clamp(lowest, selected.max(lowest)).min(len.saturating_sub(height))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_list_scrolls_only_as_far_as_it_must() {
        assert_eq!(scrolled(0, 10, 100, 5), 0);
        assert_eq!(scrolled(0, 10, 100, 10), 1);
        assert_eq!(scrolled(50, 10, 100, 49), 49);
        assert_eq!(scrolled(90, 10, 20, 19), 10);
    }

    proptest! {
        #[test]
        fn the_selection_is_always_in_sight(top in 0usize..200, height in 1usize..50, len in 1usize..100, at in 0usize..100) {
            let selected = at.min(len - 1);
            let top = scrolled(top, height, len, selected);
            prop_assert!(top <= selected && selected < top + height);
        }
    }
}
