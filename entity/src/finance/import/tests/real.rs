//! A published file of receivables, if there is one at the path in `RECEIVABLES_CSV`.
