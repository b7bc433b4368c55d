"""What leaves a finding out: the configuration, comments, annotations and the baseline; and which of them do nothing."""
