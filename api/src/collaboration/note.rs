//! Writing things down about customers.

use entity::collaboration::note;

use crate::edit::{form, records};

form! {
    /// What somebody writes down about a customer.
    NoteInput,
    /// A change of a note.
    UpdateNoteInput,
    of note:
    needs {
        /// What it says: plain text with line breaks, 1 to 10,000 characters.
        body: String,
    }
}

records! {
    /// Writing things down.
    NoteMutation of note by WriteCustomers;
    add create_note(NoteInput) -> CreateNotePayload: "Writes a note about a customer.";
    update update_note(UpdateNoteInput) -> UpdateNotePayload: "Changes what a note says.";
    delete delete_note -> DeleteNotePayload: "Deletes a note: lists and the timeline leave it out.";
    restore restore_note -> RestoreNotePayload: "Takes the deletion of a note back.";
}
