"""What a run found out as a report needs it, and the report that one or several of these come to together."""
