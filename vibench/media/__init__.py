"""Files that hold pictures, masks, flow or video, and the resizing of what they hold."""
