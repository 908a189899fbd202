"""Jobs that feed kept deliveries through again: where they stand on each partition."""

from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Make the columns, and let a job do this."""
    op.execute("alter table replay_job add column places jsonb, add column ends jsonb")
    op.execute("alter table replay_job drop constraint replay_job_action_check")
    op.execute(
        "alter table replay_job add constraint replay_job_action_check check (action in ('replay', 'discard', 'feed'))"
    )
